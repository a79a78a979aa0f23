"""An explainer's epoch from cached inputs and targets, against one that computes them anew.

The networks are those of preset `parts`: EfficientNet-Lite0's first 12 blocks on images of 224x224,
the ordinary network's 64 filters and layers of 256 units above them, and their explainer with a
filter loss, batch 64. The other epoch runs these blocks and the performer on every image, a batch
at once as usual; what it takes with two images at a time, as the cache is filled, is told, too.
Beside the ratio stands the one that the multiply-adds allow, forward and backward.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from snakemake.utils import update_config
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import workload
from benchmarks.row import Row
from benchmarks.timing import interleaved, median_ratio
from clearfilters.data.store import Split
from clearfilters.methods.explainer_training import Explainer
from clearfilters.methods.method import Batch
from clearfilters.models.performer import pooled_features, reconstructed
from clearfilters.params.jobs import jobs
from clearfilters.params.loading import load_params
from clearfilters.params.slices import TrainingSlice, training_slice
from clearfilters.training.checkpoint import build_method, build_network
from clearfilters.training.determinism import make_deterministic
from clearfilters.training.frozen import Cache, UncachedOutputs, number_type, train_above
from clearfilters.training.inputs import to_device
from clearfilters.training.loop import Trainer

REQUIRED = 5.0
PERFORMER = "dog-ordinary"
SIDE, BATCH = 224, 64
ROOT = Path(__file__).parent.parent
METHOD = {
    "name": "explainer", "target": "reconstruction", "reconstruction": 0.5, "eta": 100.0,
    "ratio": 0.3, "falling": True, "alpha": 0.5, "memory": 0.9, "beta": 4.0, "init_std": None,
    "momentum": 0.1, "dead": 0.01, "keep_scale": True, "decoder_lr": 0.01, "p_lr": 10.0,
}  # fmt: skip


def _parameters(views: int) -> TrainingSlice:
    content: dict[str, object] = {}
    for path in (ROOT / "params.yaml", ROOT / "workflow/presets/parts.yaml"):
        update_config(content, yaml.safe_load(path.read_text()))
    params = load_params(content)
    job = next(job for job in jobs(params) if job.experiment == PERFORMER)
    performer = training_slice(params, job)
    training = {**performer["training"], "optimizer": "adam", "lr": 0.001, "batch_size": BATCH}
    kept = {"weights": None, "trained_blocks": 1, "views": views, "kept_as": "float16"}
    return TrainingSlice.model_validate(
        {
            **performer,
            "performer": performer,
            "method": METHOD,
            "training": training,
            "finetune": kept,
        }
    )


@dataclass(frozen=True)
class FewAtOnce(UncachedOutputs):
    """Images pass the frozen blocks as they do where their outputs are cached."""

    def batch(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Outputs of the chosen images, which are not augmented."""
        return self.as_they_are(chosen)


def _trainer(split: Split, *, cached: bool) -> Trainer:
    """A training before its first epoch; caching happens here."""
    torch.manual_seed(0)
    parameters, device = _parameters(1 if cached else 0), workload.device()
    network = build_network(parameters, ["background", "dog"], (0.5,) * 3, (0.5,) * 3, SIDE)
    method = build_method(parameters, network).to(device).to(memory_format=torch.channels_last)
    images, few = (
        to_device(some, device) for some in (split, Split(split.images[:1], split.labels[:1]))
    )
    finetune = parameters.finetune
    assert finetune is not None
    data, _ = train_above(method, parameters, images, few, Cache(None, "", number_type(finetune)))
    if cached:
        method.prepare(data)
        method.begin(data)
    return Trainer(method, data, parameters.training, 0)


def allowed_ratio(trainer: Trainer) -> float:
    """How many times the multiply-adds of an epoch from the cache one without it has."""
    method, rows = trainer.method, torch.arange(BATCH, device=trainer.data.labels.device)
    assert isinstance(method, Explainer) and method.targets is None
    with FlopCounterMode(display=False) as blocks:
        maps = trainer.data.batch(rows, trainer.draws)
    labels = trainer.data.labels[rows]
    method.train()
    with FlopCounterMode(display=False) as step:
        cost, _ = method.cost(Batch(maps, labels, rows, trainer.draws), "std")
        cost.backward()
    with FlopCounterMode(display=False) as performer, torch.no_grad():
        reconstructed(method.performer).outputs(pooled_features(method.performer, maps))
    every, once = step.get_total_flops(), performer.get_total_flops()
    return float((blocks.get_total_flops() + every) / (every - once))


def run(repeats: int, batches: int) -> Row:
    """Time epochs of `batches` batches of 64 images."""
    make_deterministic()
    device = workload.device()
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (batches * BATCH, SIDE, SIDE, 3), dtype=np.uint8)
    split = Split(images, np.arange(len(images)) % 2)
    trainers = {
        name: _trainer(split, cached=name == "cached") for name in ("cached", "anew", "few")
    }
    for name in ("anew", "few"):
        trainers[name].method.load_state_dict(trainers["cached"].method.state_dict())
    data = trainers["few"].data
    assert isinstance(data, UncachedOutputs)
    trainers["few"].data = FewAtOnce(data.images, data.part)
    allowed = allowed_ratio(trainers["anew"])

    def passing(trainer: Trainer) -> None:
        trainer.epoch(0, "std")
        workload.wait(device)

    found = interleaved(
        {name: lambda trainer=trainer: passing(trainer) for name, trainer in trainers.items()},  # type: ignore[misc]
        repeats,
    )
    ratio, of_few = (median_ratio(found[name], found["cached"]) for name in ("anew", "few"))
    ours, base = (
        1000 * sorted(found[name])[repeats // 2] / len(images) for name in ("cached", "anew")
    )
    return Row(
        name="epoch of an explainer",
        ours=f"{ours:.1f} ms an image (cached inputs and targets)",
        baseline=f"{base:.1f} ms (EfficientNet-Lite0 and the performer on every image)",
        ratio=f"{ratio:.2f}x (multiply-adds: {allowed:.2f}x)",
        required=f"at least {REQUIRED:g}x",
        met=ratio >= REQUIRED,
        notes=f"{len(images)} images of {SIDE}x{SIDE}, median of {repeats} epochs in turn; "
        f"multiply-adds allow {allowed:.2f}x: EfficientNet-Lite0's take longer, most of all with "
        f"whole batches; with two images at a time through its blocks it is {of_few:.2f}x",
    )
