"""Training images per second, against the usual loop: at least 2x.

Ours is `Trainer.epoch` of an STD epoch as presets run it (bf16, channels-last). Both loops make
whole passes over the same number of images; the usual loop's workers are started before.
"""

import torch

from benchmarks import workload
from benchmarks.row import Row
from benchmarks.timing import interleaved, median_ratio
from benchmarks.usual_loop import UsualLoop
from clearfilters.training.determinism import make_deterministic

REQUIRED = 2.0


def run(repeats: int, batches: int) -> Row:
    """Time passes over `batches` batches of 256 images."""
    count = batches * workload.BATCH
    trainer = workload.our_training(workload.parameters(None), count, workload.device())
    usual = UsualLoop(workload.random_split(count), workload.device())

    def ours() -> None:
        make_deterministic()
        trainer.epoch(0, "std")

    def baseline() -> None:
        torch.use_deterministic_algorithms(False)
        usual.epoch()

    found = interleaved({"ours": ours, "baseline": baseline}, repeats)
    ratio = median_ratio(found["baseline"], found["ours"])
    ours_speed, baseline_speed = (
        count / sorted(found[name])[repeats // 2] for name in ("ours", "baseline")
    )
    return Row(
        name="training speed, ResNet20",
        ours=f"{ours_speed:.0f} images/s",
        baseline=f"{baseline_speed:.0f} images/s (DataLoader, 2 workers, torchvision, float32)",
        ratio=f"{ratio:.2f}x",
        required=f"at least {REQUIRED:g}x",
        met=ratio >= REQUIRED,
        notes=f"{count} images per pass, median of {repeats} passes in turn",
    )
