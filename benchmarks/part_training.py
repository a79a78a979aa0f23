"""A training step with part masks and filter losses on two layers, against one without them.

The networks are those of preset `parts`: two convolutions of 64 filters and fully connected layers
above cached maps of 112 x 14 x 14, batch 64. The other has no masks, and the method that adds
nothing; it has the same layers otherwise.
"""

from pathlib import Path

import torch
import yaml
from snakemake.utils import update_config
from torch import nn

from benchmarks import workload
from benchmarks.row import Row
from benchmarks.timing import interleaved, median_ratio
from clearfilters.methods.method import Method
from clearfilters.methods.part_filters import PartMask
from clearfilters.methods.std import Std
from clearfilters.models.blocks import BlockNetwork
from clearfilters.params.jobs import jobs
from clearfilters.params.loading import load_params
from clearfilters.params.slices import TrainingSlice, training_slice
from clearfilters.training.checkpoint import build_method, build_network
from clearfilters.training.determinism import make_deterministic
from clearfilters.training.frozen import CachedOutputs
from clearfilters.training.loop import Trainer

REQUIRED = 1.3
EXPERIMENT = "dog-interpretable"
CHANNELS, SIDE = 112, 14
ROOT = Path(__file__).parent.parent


def _parameters() -> TrainingSlice:
    content: dict[str, object] = {}
    for path in (ROOT / "params.yaml", ROOT / "workflow/presets/parts.yaml"):
        update_config(content, yaml.safe_load(path.read_text()))
    params = load_params(content)
    job = next(job for job in jobs(params) if job.experiment == EXPERIMENT)
    return TrainingSlice.model_validate(training_slice(params, job))


def _trainer(parameters: TrainingSlice, data: CachedOutputs, *, masks: bool) -> Trainer:
    torch.manual_seed(0)
    network = build_network(parameters, ["background", "dog"], (0.5,) * 3, (0.5,) * 3, 224)
    backbone = network.backbone
    assert isinstance(backbone, BlockNetwork)
    backbone.freeze(len(backbone.blocks) - 1)
    if masks:
        method: Method = build_method(parameters, network)
    else:
        top = backbone.blocks[-1]
        for name, layer in list(top.named_children()):
            if isinstance(layer, PartMask):
                setattr(top, name, nn.Identity())
        network.factors = {name: f for name, f in network.factors.items() if "beta" not in name}
        method = Std(network, parameters.training)
    method.take(backbone.top, compiled=False)
    method.to(data.labels.device).to(memory_format=torch.channels_last)
    method.begin(data)
    return Trainer(method, data, parameters.training, seed=0)


def run(repeats: int, batches: int) -> Row:
    """Time passes over `batches` batches of 64 maps."""
    make_deterministic()
    parameters, device = _parameters(), workload.device()
    count = batches * parameters.training.batch_size
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn((1, count, SIDE, SIDE, CHANNELS), generator=generator).half()
    rows = torch.arange(count, device=device)
    data = CachedOutputs(outputs.to(device), rows % 2, rows)
    trainers = {name: _trainer(parameters, data, masks=name == "ours") for name in ("ours", "base")}

    def passing(trainer: Trainer) -> None:
        trainer.epoch(0, "std")
        workload.wait(device)

    found = interleaved(
        {name: lambda trainer=trainer: passing(trainer) for name, trainer in trainers.items()},  # type: ignore[misc]
        repeats,
    )
    ratio = median_ratio(found["ours"], found["base"])
    ours, base = (1000 * sorted(found[name])[repeats // 2] / batches for name in ("ours", "base"))
    return Row(
        name="training step with part filters",
        ours=f"{ours:.0f} ms",
        baseline=f"{base:.0f} ms (the same layers without masks and filter losses)",
        ratio=f"{ratio:.2f}x",
        required=f"at most {REQUIRED:g}x",
        met=ratio <= REQUIRED,
        notes=f"batch 64, {batches} steps a pass, median of {repeats} passes in turn",
    )
