"""Features for the detector's forest, one forward pass against one per layer: at least 5x.

Ours reads the pooled activations of all 19 convolutions of a ResNet20 in one pass. The baseline
makes a pass for each, with a hook on that layer alone; it is extrapolated from one pass per round,
of another layer each time, since every pass goes through the whole network. Both in float32.
"""

from itertools import cycle

import torch
from torch import Tensor

from benchmarks import workload
from benchmarks.row import Row
from benchmarks.timing import interleaved, median_ratio
from clearfilters.attacks.adversarial import respond
from clearfilters.data.augmentation import as_network_input
from clearfilters.models.classifier import Classifier

REQUIRED = 5.0


@torch.no_grad()
def _features_of(model: Classifier, images: Tensor, layer: int) -> Tensor:
    found: list[Tensor] = []
    handle = model.parts.activations[layer].register_forward_hook(
        lambda module, inputs, output: found.append(output.mean(dim=(2, 3)).cpu())
    )
    where = model.head.weight.device
    for batch in images.split(workload.BATCH):
        model(batch.to(where, memory_format=torch.channels_last))
    handle.remove()
    return torch.cat(found)


def run(repeats: int, count: int) -> Row:
    """Read the features of `count` images."""
    where = workload.device()
    model = workload.network().eval().requires_grad_(False)
    model.to(where).to(memory_format=torch.channels_last)
    images = as_network_input(torch.from_numpy(workload.random_split(count).images))
    layers = len(model.parts.activations)
    timed = cycle(range(layers))

    def ours() -> None:
        respond(model, images, workload.BATCH)

    def baseline() -> None:
        _features_of(model, images, next(timed))

    found = interleaved({"ours": ours, "baseline": baseline}, repeats)
    extrapolated = [layers * one for one in found["baseline"]]
    ratio = median_ratio(extrapolated, found["ours"])
    ours_seconds, baseline_seconds = (
        sorted(times)[repeats // 2] for times in (found["ours"], extrapolated)
    )
    return Row(
        name="forest features, ResNet20",
        ours=f"{ours_seconds:.2f} s (one pass)",
        baseline=f"{baseline_seconds:.1f} s (one pass per layer, extrapolated)",
        ratio=f"{ratio:.1f}x",
        required=f"at least {REQUIRED:g}x",
        met=ratio >= REQUIRED,
        notes=f"{count} images; the baseline's {layers} passes from {repeats} single ones; medians",
    )
