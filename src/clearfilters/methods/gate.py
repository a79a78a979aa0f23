"""The class-specific gate: LSG (ICLR 2020 submission, section 3) and CSG (ECCV 2020, section 3).

Notation: C classes, K filters in the last convolution, a = GAP(A) pooled features (N, K), labels
y (N,), gate G in [0, 1]^(C x K) whose every column has maximum 1. The gate path multiplies the
channels of the last convolution by the row G_y of the label. Since pooling is linear, gating the
pooled features is the same as gating the maps, so everything here takes pooled features.

In a training loop of one's own, `features` any network that ends in a convolution:

    >>> import torch
    >>> from clearfilters.methods.gate import ClassSpecificGate, Lsg
    >>> features, head = torch.nn.Conv2d(3, 8, 3), torch.nn.Linear(8, 4)
    >>> gate = ClassSpecificGate(4, 8, Lsg(lambda_=1.0, a=0.01, density=0.3))
    >>> theta = torch.optim.SGD([*features.parameters(), *head.parameters()], lr=0.1)
    >>> gate_optimizer = torch.optim.SGD(gate.parameters(), lr=1.0)
    >>> images, labels = torch.rand(6, 3, 12, 12), torch.tensor([0, 1, 2, 3, 0, 1])
    >>> pooled = features(images).relu().mean(dim=(2, 3))
    >>> cost, logits = gate.cost(pooled, labels, head)
    >>> theta.zero_grad()
    >>> gate_optimizer.zero_grad()
    >>> cost.backward()
    >>> theta.step()
    >>> gate.step(gate_optimizer)
    >>> gate.values.amax(dim=0).tolist() == [1.0] * 8
    True
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clearfilters.errors import ClearfiltersError

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


def wrong_classes(
    labels: Tensor, num_classes: int, generator: torch.Generator | None = None
) -> Tensor:
    """For each label a class drawn uniformly from the others, (N,)."""
    device = labels.device if generator is None else generator.device
    shift = torch.randint(1, num_classes, labels.shape, generator=generator, device=device)
    return (labels + shift.to(labels.device)) % num_classes


@dataclass(frozen=True)
class Lsg:
    """lambda (CE + a | ||G||_1 - s |), LSG Eq. 2.

    Attributes:
        lambda_: of the whole gate path, above 0.
        a: of the sparsity term, at least 0.
        density: s / (C K), in [1/C, 1].
    """

    lambda_: float
    a: float
    density: float

    def cost(self, classification: Tensor, gate: Tensor) -> Tensor:
        """The objective of a classification cost (scalar, nats) and a gate (C, K)."""
        target = self.density * gate.numel()
        return self.lambda_ * (classification + self.a * lsg_sparsity(gate, target))


@dataclass(frozen=True)
class Csg:
    """lambda1 CE + lambda2 psi(ReLU(||G||_1 - g)), CSG section 3.2.

    Attributes:
        lambda1: of the classification, above 0.
        lambda2: of the sparsity term, at least 0.
        density: g / (C K), in [1/C, 1].
        psi: the norm of the excess, or its square.
    """

    lambda1: float
    lambda2: float
    density: float
    psi: Literal["l1", "squared"]

    def cost(self, classification: Tensor, gate: Tensor) -> Tensor:
        """The objective of a classification cost (scalar, nats) and a gate (C, K)."""
        sparsity = csg_sparsity(gate, self.density * gate.numel(), self.psi)
        return self.lambda1 * classification + self.lambda2 * sparsity


def gate_cost(
    logits: Tensor,
    pooled: Tensor,
    gate: Tensor,
    labels: Tensor,
    wrong: Tensor,
    head: nn.Linear,
    objective: Lsg | Csg,
    negative_weight: float = 0.0,
) -> Tensor:
    """The cost of a gate epoch: LSG Algorithm 1, line 5, or CSG's terms in lambda1 and lambda2.

    Args:
        logits: of the gate path through the rows of the labels, (N, C), from `gated_logits`.
        pooled: a, (N, K).
        gate: G, (C, K).
        labels: y, (N,).
        wrong: for each sample a class other than its label, (N,); used by the negatives only.
        head: W (C, K) and b (C,).
        objective: weights, and the density that the gate is drawn to.
        negative_weight: of `negative_rows`, at least 0; the papers have 0.
    """
    classification = F.cross_entropy(logits, labels)
    if negative_weight > 0:
        classification = classification + negative_weight * negative_rows(pooled, gate, wrong, head)
    return objective.cost(classification, gate)


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
            f"method.fixed: {num_classes} classes x {monopolized} monopolized + {shared} shared = "
            f"{num_classes * monopolized + shared} columns, but the network's last convolution has "
            f"{num_filters} filters; choose numbers that add up"
        )
    one_hot = torch.eye(num_classes).repeat_interleave(monopolized, dim=1)
    return torch.cat([one_hot, torch.ones(num_classes, shared)], dim=1)


class ClassSpecificGate(nn.Module):
    """G (C, K) with its objective: what LSG and CSG add to a network.

    In epochs of the gate path (`path_of_epoch`) minimise `cost` and move the gate with `step`; in
    the others train the network as usual. The gate is used in training only.

    Attributes:
        values: G, (C, K) in [0, 1].
    """

    def __init__(
        self,
        num_classes: int,
        num_filters: int,
        objective: Lsg | Csg,
        *,
        init: float = 0.5,
        negative_weight: float = 0.0,
        fixed: Tensor | None = None,
    ) -> None:
        """A gate before its first step.

        Args:
            num_classes: C.
            num_filters: K, channels of the last convolution.
            objective: what the gate path minimises.
            init: the value of every element at first, in (0, 1].
            negative_weight: of `negative_rows`; the papers have 0.
            fixed: a gate (C, K) that does not move, from `fixed_gate`.
        """
        super().__init__()
        values = torch.full((num_classes, num_filters), init) if fixed is None else fixed
        self.values = nn.Parameter(values, requires_grad=fixed is None)
        self.objective = objective
        self.negative_weight = negative_weight

    def cost(
        self,
        pooled: Tensor,
        labels: Tensor,
        head: nn.Linear,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Cost (scalar) and logits (N, C) of the gate path.

        Args:
            pooled: a, (N, K).
            labels: y, (N,), in [0, C).
            head: W (C, K) and b (C,).
            generator: draws the wrong classes of the negatives.
        """
        # Drawn without negatives, too: their weight shall not change what is drawn after them.
        wrong = wrong_classes(labels, len(self.values), generator)
        logits = gated_logits(pooled, self.values, labels, head)
        cost = gate_cost(
            logits, pooled, self.values, labels, wrong, head, self.objective, self.negative_weight
        )
        return cost, logits

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """A step of the optimizer of `values`, back into the solution space (`project_`)."""
        previous = self.values.detach().clone()
        optimizer.step()
        project_(self.values, previous)


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
