"""Fitting Phi's gate to pooled features, against fitting it through the network: at least 50x.

Ours is what the workflow does: one forward pass that records the pooled features, then `fit_gate`
for 200 iterations, each at least one pass over them. The baseline makes every pass through the
convolutions: with theta frozen, batch after batch, forward, the gradient for G alone, and after
the last batch one projected step. Both in float32 and channels-last. The baseline's 200 passes are
extrapolated from a few, since each takes the same work.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks import workload
from benchmarks.row import Row
from benchmarks.timing import interleaved, median_ratio
from clearfilters.analysis.phi import GateCrossEntropy, fit_gate
from clearfilters.data.augmentation import as_network_input
from clearfilters.data.store import Split
from clearfilters.methods.gate import gated_logits, lsg_sparsity, project_
from clearfilters.models.classifier import Classifier
from clearfilters.training.features import pooled_and_logits

PASSES = 200
REQUIRED = 50.0
A, S_DENSITY, INIT = 0.02, 0.1, 0.5
GATE_LR = 0.1


def _from_features(model: Classifier, split: Split, where: torch.device) -> int:
    pooled, _ = pooled_and_logits(model, split.images, workload.BATCH, where)
    weight, bias = (part.detach().numpy() for part in (model.head.weight, model.head.bias))
    fit = fit_gate(
        GateCrossEntropy.of(pooled.numpy(), split.labels, weight, bias),
        a=A,
        s=S_DENSITY * weight.size,
        init=INIT,
        tolerance=-np.inf,  # never settled: all 200 iterations
        window=1,
        max_iterations=PASSES,
    )
    model.to(where)
    return fit.iterations


def _pass_through_network(model: Classifier, images: Tensor, labels: Tensor, gate: Tensor) -> None:
    gate.grad = None
    for chosen in torch.arange(len(labels), device=labels.device).split(workload.BATCH):
        pooled = model.pooled(as_network_input(images[chosen]))
        logits = gated_logits(pooled, gate, labels[chosen], model.head)
        (F.cross_entropy(logits, labels[chosen], reduction="sum") / len(labels)).backward()
    (A * lsg_sparsity(gate, S_DENSITY * gate.numel())).backward()
    assert gate.grad is not None
    previous = gate.detach().clone()
    with torch.no_grad():
        gate -= GATE_LR * gate.grad
    project_(gate, previous)


def run(repeats: int, count: int) -> Row:
    """Fit gates on `count` images."""
    where = workload.device()
    model = workload.network().eval().requires_grad_(False)
    model.to(where).to(memory_format=torch.channels_last)
    split = workload.random_split(count)
    images, labels = torch.from_numpy(split.images).to(where), torch.from_numpy(split.labels)
    labels = labels.to(where)
    gate = torch.full((workload.CLASSES, model.head.in_features), INIT, device=where)
    gate.requires_grad_()
    iterations: list[int] = []

    def ours() -> None:
        iterations.append(_from_features(model, split, where))

    def baseline() -> None:
        _pass_through_network(model, images, labels, gate)
        workload.wait(where)

    found = interleaved({"ours": ours, "baseline": baseline}, repeats)
    if min(iterations) < PASSES:
        raise RuntimeError(f"the fit took {min(iterations)} iterations; {PASSES} expected")
    extrapolated = [PASSES * one for one in found["baseline"]]
    ratio = median_ratio(extrapolated, found["ours"])
    ours_seconds, baseline_seconds = (
        sorted(times)[repeats // 2] for times in (found["ours"], extrapolated)
    )
    return Row(
        name=f"Phi's gate, {PASSES} passes",
        ours=f"{ours_seconds:.2f} s (feature pass included)",
        baseline=f"{baseline_seconds:.1f} s (through the network, extrapolated)",
        ratio=f"{ratio:.0f}x",
        required=f"at least {REQUIRED:g}x",
        met=ratio >= REQUIRED,
        notes=f"{count} images; the baseline's {PASSES} passes from {repeats} single ones; medians",
    )
