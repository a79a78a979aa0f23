"""The class-specific gate: LSG (ICLR 2020 submission, section 3) and CSG (ECCV 2020, section 3).

Notation: C classes, K filters in the last convolution, a = GAP(A) pooled features (N, K), labels
y (N,), gate G in [0, 1]^(C x K) whose every column has maximum 1. The gate path multiplies the
channels of the last convolution by the row G_y of the label. Since pooling is linear, gating the
pooled features is the same as gating the maps, so everything here takes pooled features.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clearfilters.errors import ClearfiltersError
from clearfilters.params.methods import GateParams, LsgParams

Path = Literal["std", "gate", "joint"]


def gated_logits(pooled: Tensor, gate: Tensor, rows: Tensor, head: nn.Linear) -> Tensor:
    """Logits of the gate path, W (a * G_row) + b (LSG section 3.2, Figure 3).

    Args:
        pooled: a, (N, K).
        gate: G, (C, K).
        rows: the gate row of each sample, (N,); the label y in training.
        head: W (C, K) and b (C,).

    Returns:
        Logits (N, C).
    """
    logits: Tensor = head(pooled * gate[rows])
    return logits


def lsg_sparsity(gate: Tensor, target: float) -> Tensor:
    """| ||G||_1 - s |, LSG Eq. 2. `target` is s >= K."""
    return (gate.sum() - target).abs()


def csg_sparsity(gate: Tensor, bound: float, psi: Literal["l1", "squared"]) -> Tensor:
    """d(||G||_1, g) = psi(ReLU(||G||_1 - g)), CSG section 3.2. `bound` is g >= K."""
    excess = F.relu(gate.sum() - bound)
    return excess if psi == "l1" else excess.square()


def negative_rows(pooled: Tensor, gate: Tensor, wrong: Tensor, head: nn.Linear) -> Tensor:
    """-log(1 - p_c(x; G_c)) for a wrong class c: the gate row of c must not make any image a c.

    Not in the papers: a remedy for label leakage. The papers' objective only ever shows the gate
    row of the true label, so the head may read the class off which channels are open. Here each
    image also passes the row of a class that it does not show, as a negative: this is the leakage
    probe itself as a penalty.

    Args:
        pooled: a, (N, K).
        gate: G, (C, K).
        wrong: for each sample a class other than its label, (N,).
        head: W (C, K) and b (C,).

    Returns:
        The mean, a scalar in nats, at least 0.
    """
    logits = gated_logits(pooled, gate, wrong, head)
    others = logits.scatter(1, wrong[:, None], -torch.inf)
    return (logits.logsumexp(dim=1) - others.logsumexp(dim=1)).mean()


def wrong_classes(labels: Tensor, num_classes: int, generator: torch.Generator) -> Tensor:
    """For each label a class drawn uniformly from the others, (N,)."""
    shift = torch.randint(
        1, num_classes, labels.shape, generator=generator, device=generator.device
    )
    return (labels + shift.to(labels.device)) % num_classes


def gate_cost(
    logits: Tensor,
    pooled: Tensor,
    gate: Tensor,
    labels: Tensor,
    wrong: Tensor,
    head: nn.Linear,
    method: GateParams,
) -> Tensor:
    """The cost of a gate epoch: LSG Algorithm 1, line 5, or CSG's terms in lambda1 and lambda2.

    Args:
        logits: of the gate path through the rows of the labels, (N, C), from `gated_logits`.
        pooled: a, (N, K).
        gate: G, (C, K).
        labels: y, (N,).
        wrong: for each sample a class other than its label, (N,); used by the negatives only.
        head: W (C, K) and b (C,).
        method: objective and weights; s and g are given as densities, s = s_density C K.
    """
    classification = F.cross_entropy(logits, labels)
    if method.negative_weight > 0:
        classification = classification + method.negative_weight * negative_rows(
            pooled, gate, wrong, head
        )
    objective = method.objective
    if isinstance(objective, LsgParams):
        target = objective.s_density * gate.numel()
        return objective.lambda_ * (classification + objective.a * lsg_sparsity(gate, target))
    bound = objective.g_density * gate.numel()
    sparsity = csg_sparsity(gate, bound, objective.psi)
    return objective.lambda1 * classification + objective.lambda2 * sparsity


@torch.no_grad()
def project_(gate: Tensor, previous: Tensor) -> None:
    """Bring the gate back into its solution space, in place (LSG Algorithm 1, lines 7 and 8).

    Clamps at 0, divides each column by its maximum and clips to [0, 1]; a column that became all
    zero, which has no direction left, keeps its `previous` value (divided by its maximum too, which
    matters only before the first projection).

    Args:
        gate: G after a gradient step, (C, K).
        previous: G before that step, (C, K), in the solution space or the initial value.
    """
    gate.clamp_(min=0)
    largest = gate.amax(dim=0)
    alive = largest > 0
    smallest = torch.finfo(gate.dtype).tiny
    kept = previous / previous.amax(dim=0).clamp(min=smallest)
    scaled = torch.where(alive, gate / largest.clamp(min=smallest), kept)
    gate.copy_(scaled.clamp_(0, 1))


def l1_density(gate: Tensor) -> Tensor:
    """||G||_1 / (C K), in [1/C, 1] for a gate in the solution space (CSG appendix A)."""
    return gate.mean()


def fixed_gate(num_classes: int, num_filters: int, monopolized: int, shared: int) -> Tensor:
    """The manually fixed gate (LSG Figure 9, CSG Figure E.1).

    Each class has `monopolized` (m1) one-hot columns, in class order; then follow `shared` (m2)
    all-one columns.

    Returns:
        G, (C, K), of zeros and ones.

    Raises:
        ClearfiltersError: unless C * m1 + m2 = K.
    """
    if num_classes * monopolized + shared != num_filters:
        raise ClearfiltersError(
            f"gate.fixed: {num_classes} classes x {monopolized} monopolized + {shared} shared = "
            f"{num_classes * monopolized + shared} columns, but the network's last convolution has "
            f"{num_filters} filters; choose numbers that add up"
        )
    one_hot = torch.eye(num_classes).repeat_interleave(monopolized, dim=1)
    return torch.cat([one_hot, torch.ones(num_classes, shared)], dim=1)


def path_of_epoch(
    epoch: int,
    *,
    scheme: Literal["alternating", "joint"],
    period: int,
    gate_phases: tuple[int, ...],
    warmup_epochs: int,
) -> Path:
    """Which path an epoch (counted from 0) trains: LSG Algorithm 1, line 3.

    Alternating: the first `warmup_epochs` train the STD path; then epoch E uses the gate if
    E % `period` is one of `gate_phases`. Joint (LSG footnote 1): both paths in every epoch after
    the warm-up.
    """
    if epoch < warmup_epochs:
        return "std"
    if scheme == "joint":
        return "joint"
    return "gate" if epoch % period in gate_phases else "std"
