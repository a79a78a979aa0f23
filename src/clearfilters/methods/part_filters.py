"""Part filters: the mask and the filter loss of interpretable CNNs (CVPR 2018).

A mask keeps of each filter's map what lies around one place. The filter loss pushes up what lies
there on images of the filter's category, and down everything on others: each filter is to become a
detector of one part of one category.

In a network and loop of your own these are two lines:

>>> import torch
>>> convolution, head = torch.nn.Conv2d(3, 8, 5), torch.nn.LazyLinear(1)
>>> mask, filter_loss = PartMask(8), FilterLoss(8)
>>> images, labels = torch.rand(16, 3, 18, 18), torch.arange(16) % 2
>>> maps = mask(torch.relu(convolution(images)))            # line 1: in the forward pass
>>> logits = head(maps.flatten(1))
>>> task = torch.nn.functional.softplus(-(2 * labels - 1) * logits[:, 0]).mean()
>>> cost = task + filter_loss(mask, labels[:, None] == 1)   # line 2: beside the task's loss
>>> cost.backward()

Notation: x (B, D, n, n) >= 0 are the maps before the mask, M their templates, beta (D,) the slopes,
e the epoch, counted from 1. Two variants: `code` is the authors' released code, which differs in
most constants from the paper, and `paper` what the paper says.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from clearfilters.errors import ClearfiltersError
from clearfilters.methods.filter_categories import CategoryMemory, class_weights

Variant = Literal["code", "paper"]
# Below it, the sum of a map counts as 0, and its centre is the first cell (released code).
LEAST_SUM = 1e-9


@dataclass(frozen=True)
class Seen:
    """What a mask saw of a batch: x (B, D, n, n), its templates M, and the cells they stand at.

    Attributes:
        maps: x, with its gradient.
        marginals: of x, the sums of its rows and of its columns, (B, D, n) each.
        rows: of the templates' cells (B, D), from 0.
        columns: likewise.
        templates: M.
    """

    maps: Tensor
    marginals: tuple[Tensor, Tensor]
    rows: Tensor
    columns: Tensor
    templates: Tensor

    @cached_property
    @torch.no_grad()
    def fits(self) -> Tensor:
        """Mean of x M, (B, D): how well each map fits its template."""
        return (self.maps * self.templates).mean(dim=(2, 3))

    @cached_property
    @torch.no_grad()
    def means(self) -> Tensor:
        """Mean of x, (B, D)."""
        return self.marginals[0].sum(dim=2) / self.maps.shape[2] / self.maps.shape[3]


class PartMask(nn.Module):
    """Multiplies each map by its template, where that is positive, in training and in testing.

    Of maps with more filters than the mask has, the first are masked and the rest left ordinary.

    Attributes:
        beta: the slopes (D,). No gradient reaches them through the mask; see `beta_targets`.
        variant: where the template stands and how wide it is.
        masks: whether it multiplies; else it only looks on, for a filter loss without masks.
        seen: of the latest batch in training mode, for the filter loss.
    """

    def __init__(
        self, filters: int, *, beta: float = 2.0, variant: Variant = "code", masks: bool = True
    ) -> None:
        """A mask of D filters; beta is 2 in the code (learned from there), 4 in the paper."""
        super().__init__()
        self.beta = nn.Parameter(torch.full((filters,), beta))
        self.variant = variant
        self.masks = masks
        self.seen: Seen | None = None

    def forward(self, maps: Tensor) -> Tensor:
        """Maps x (B, D, n, n) -> x max(M, 0), the template M being a constant to the gradient."""
        if not (self.masks or self.training):
            return maps
        count = len(self.beta)
        # bf16 is for convolutions: the centre of a map is no matter of two digits.
        with torch.autocast(maps.device.type, enabled=False):
            # What follows goes along maps: many times faster where each lies in one piece.
            own = maps[:, :count].to(self.beta.dtype).contiguous()
            seen = self.see(own)
            if self.training:
                self.seen = seen
            masked = own * seen.templates.clamp(min=0) if self.masks else own
        return torch.cat([masked, maps[:, count:]], dim=1) if maps.shape[1] > count else masked

    def take_seen(self) -> Seen:
        """What was seen of the latest batch in training mode, once.

        Raises:
            ClearfiltersError: without a forward pass in training mode since the last call.
        """
        if self.seen is None:
            raise ClearfiltersError(
                "a filter loss needs what its mask saw: pass a batch through the network in "
                "training mode before each call"
            )
        seen, self.seen = self.seen, None
        return seen

    @torch.no_grad()
    def see(self, maps: Tensor) -> Seen:
        """Choose each map's template: the cell mu at which it stands, and its slope."""
        side = maps.shape[-1]
        marginals = (maps.sum(dim=3), maps.sum(dim=2))
        rows, columns = peaks(maps) if self.variant == "paper" else centroids(marginals)
        slope = self.beta.detach() * per_cell(side, self.variant)
        return Seen(maps, marginals, rows, columns, templates(rows, columns, slope, side))


def per_cell(side: int, variant: Variant) -> float:
    """How far a cell is in the unit of beta: 2 / (n - 1) in the code, 1 / n in the paper."""
    return 1 / side if variant == "paper" else 2 / max(side - 1, 1)


def peaks(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of each map's maximum, the first of equals (the paper's mu)."""
    index = maps.flatten(2).argmax(dim=2)
    return index // maps.shape[3], index % maps.shape[3]


def centroids(marginals: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Row and column of the cell at each map's centre of mass, the code's mu.

    Half a cell is rounded up (counted from 1); a map of zeros has its centre in the first cell.

    Args:
        marginals: of the maps, see `Seen`.
    """
    total = marginals[0].sum(dim=2).clamp(min=LEAST_SUM)
    steps = torch.arange(1, marginals[0].shape[2] + 1, device=total.device, dtype=total.dtype)
    row, column = (
        torch.floor(along @ steps / total + 0.5).clamp(min=1).long() - 1 for along in marginals
    )
    return row, column


def templates(rows: Tensor, columns: Tensor, slope: Tensor, side: int) -> Tensor:
    """max(1 - slope_f ||[i, j] - mu||_1, -1), (B, D, n, n), for cells (B, D) and slopes (D,)."""
    cells = torch.arange(side, device=rows.device)
    down = (cells - rows[..., None]).abs() * slope[:, None]
    across = (cells - columns[..., None]).abs() * slope[:, None]
    return ((1 - down)[..., None] - across[..., None, :]).clamp_(min=-1)


def log_mean_exp(values: Tensor, dim: int) -> Tensor:
    """The logarithm of the mean of e^values over one dimension, without overflow."""
    return torch.logsumexp(values, dim) - math.log(values.shape[dim])


def strengths(fits: Tensor, log_z: Tensor, chosen: Tensor, alpha: float) -> Tensor:
    """Strength a over its mean for the chosen images, where a = e^(s/alpha) (s - log Z + alpha).

    Args:
        fits: s (B, D), how well each map fits its template.
        log_z: alpha log Z (D,).
        chosen: bool (B, D).
        alpha: temperature.

    Returns:
        (B, D), 0 for images that are not chosen, and for a filter whose mean is about 0.
    """
    # The largest exponent cancels in the quotient.
    largest = fits.masked_fill(~chosen, -torch.inf).amax(dim=0).nan_to_num(neginf=0.0)
    scale = torch.exp((fits - largest) / alpha).masked_fill(~chosen, 0.0)
    a = scale * (fits - log_z + alpha)
    mean = a.sum(dim=0) / chosen.sum(dim=0).clamp(min=1)
    least = torch.finfo(a.dtype).eps * alpha
    return torch.where(mean.abs() > least, a / mean, torch.zeros_like(a))


def code_gradient(
    seen: Seen, positive: Tensor, weights: tuple[Tensor, Tensor], alpha: float
) -> Tensor:
    """The filter loss's gradient for x in the released code, with c = 1, (B, D, n, n).

    Args:
        seen: of the batch.
        positive: bool (B, D), whether an image is of the filter's category.
        weights: (D,) of the positive and of the negative side.
        alpha: temperature of the exponents; 0.5 in the code.
    """
    maps, templates = seen.maps.detach(), seen.templates
    # Z of a template comes from maps that have nothing to do with it: another image's and filter's.
    strangers = (maps * templates.flip(0, 1)).mean(dim=(2, 3))
    log_zp = alpha * log_mean_exp(strangers / alpha, 0)
    log_zn = alpha * log_mean_exp(-seen.means / alpha, 0)
    push = strengths(seen.fits, log_zp, positive, alpha) * weights[0]
    quiet = strengths(-seen.means, log_zn, ~positive, alpha) * weights[1]
    return torch.addcmul(quiet[..., None, None], push[..., None, None], templates, value=-1)


def beta_targets(seen: Seen, positive: Tensor, spread: float, low: float, high: float) -> Tensor:
    """The slopes that beta is drawn to (D,): steep for maps that are narrow (released code).

    Args:
        seen: of the batch.
        positive: bool (B, D).
        spread: the slope of a map whose standard deviation is a cell; 3 in the code.
        low: least slope, 1.5 in the code.
        high: greatest, 3 in the code; also for a filter without positive images.
    """
    in_rows, in_columns = seen.marginals
    cells = torch.arange(in_rows.shape[2], device=in_rows.device)
    down = (cells - seen.rows[..., None]).to(in_rows.dtype).square()
    across = (cells - seen.columns[..., None]).to(in_rows.dtype).square()
    inertia = (in_rows * down + in_columns * across).sum(dim=2)
    sigma = (inertia / in_rows.sum(dim=2).clamp(min=LEAST_SUM)).sqrt()
    weight = seen.fits * positive
    mean = (weight * sigma).sum(dim=0) / weight.sum(dim=0)
    return (spread / mean).clamp(low, high).nan_to_num(nan=high)


@dataclass(frozen=True)
class Pull:
    """A filter loss by its gradient: x (B, D, n, n), and G for it, of a task's mean loss."""

    maps: Tensor
    gradient: Tensor

    def term(self) -> Tensor:
        """sum(x G), of no meaning as a number: its gradient for x is G, a constant."""
        return torch.dot(self.maps.flatten(), self.gradient.flatten())

    def held(self, task: Tensor, ratio: float | Tensor, *, per_filter: bool) -> "Pull":
        """The same at a stated ratio of the task's gradient.

        Args:
            task: the gradient of the task's loss for x.
            ratio: of the norms.
            per_filter: of each filter, or of the layer as a whole.
        """
        over = (0, 2, 3) if per_filter else (0, 1, 2, 3)
        own, theirs = (
            gradient.square().sum(dim=over, keepdim=True).sqrt()
            for gradient in (self.gradient, task)
        )
        factor = torch.where(own > 0, ratio * theirs / own, torch.zeros_like(own))
        return Pull(self.maps, self.gradient * factor)


class FilterLoss(CategoryMemory):
    """The filter loss of one mask, in the authors' released code: only its gradient is defined.

    Calling it gives a number that means nothing, but whose gradient is what the code adds, for a
    task's loss that is a mean over the batch.

    Attributes:
        strength: c at epoch 1; 1e-6 in the code (1e-5 times 0.1).
        alpha: temperature; 0.5 in the code. It depends on the scale of the maps.
        shares: (C,), of the images that are of each category.
    """

    shares: Tensor

    def __init__(
        self,
        filters: int,
        categories: int = 1,
        *,
        strength: float = 1e-6,
        alpha: float = 0.5,
        keep: float = 0.9,
    ) -> None:
        """A loss of D filters before its first batch."""
        super().__init__(filters, categories, keep)
        self.strength = strength
        self.alpha = alpha
        self.register_buffer("shares", torch.full((categories,), 1 / categories))

    def forward(self, mask: PartMask, categories: Tensor, factor: float | Tensor = 1.0) -> Tensor:
        """The term to add to the task's loss, a scalar; it also updates the category memory.

        Args:
            mask: after a forward pass in training mode.
            categories: bool (B, C), of the images of the batch.
            factor: on the strength; 1 / e in the code.
        """
        return self.pull(mask.take_seen(), categories, factor).term()

    def pull(self, seen: Seen, categories: Tensor, factor: float | Tensor = 1.0) -> Pull:
        """As calling it, of what a mask saw, but maps and gradient."""
        gradient = self.gradient(seen, self.positive(categories), factor)
        self.update(seen.maps, categories)
        return Pull(seen.maps, gradient)

    @torch.no_grad()
    def gradient(self, seen: Seen, positive: Tensor, factor: float | Tensor = 1.0) -> Tensor:
        """G / B (B, D, n, n) at a factor."""
        own, first = self.category_of_filter(), ~self.known.any()
        scale = self.strength / len(seen.maps) * factor
        up, down = (
            torch.where(first, 1.0, side[own]) * scale for side in class_weights(self.shares)
        )
        return code_gradient(seen, positive, (up, down), self.alpha)


class PaperFilterLoss(FilterLoss):
    """The filter loss as the paper has it: Eq. 4 with moving means of Z and of the strength.

    Attributes:
        tau: times n^2, of the templates; 0.5 in the paper.
        strength: lambda over the mean largest activation; 5e-6 in the paper.
        log_z: log Z of the filter's templates and of the negative template, (2, D).
        peak: moving mean of the largest activation (D,).
    """

    log_z: Tensor
    peak: Tensor
    started: Tensor

    def __init__(
        self,
        filters: int,
        categories: int = 1,
        *,
        strength: float = 5e-6,
        tau: float = 0.5,
        keep: float = 0.9,
    ) -> None:
        """A loss of D filters before its first batch."""
        super().__init__(filters, categories, strength=strength, keep=keep)
        self.tau = tau
        self.register_buffer("log_z", torch.zeros(2, filters))
        self.register_buffer("peak", torch.zeros(filters))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def gradient(self, seen: Seen, positive: Tensor, factor: float | Tensor = 1.0) -> Tensor:
        """G (B, D, n, n): -lambda t e^(tr - log Z) (tr - log Z); p(T) and 1 / N of p(x) left out.

        Eq. 3 adds it to the gradient of a mean loss as it is. Where e^(...) is infinite, the
        largest number stands for it, as in the released code.
        """
        maps = seen.maps.detach()
        tau = self.tau / maps.shape[-1] ** 2
        cells = maps.shape[2] * maps.shape[3]
        fits = tau * cells * seen.fits
        quiet = -tau * cells * seen.means
        # Maps of other images on each template.
        strangers = tau * (maps * seen.templates.flip(0)).sum(dim=(2, 3))
        self._follow(strangers, quiet, maps.amax(dim=(2, 3)).mean(dim=0))
        fitness = torch.where(positive, fits - self.log_z[0], quiet - self.log_z[1])
        force = (factor * self.strength * self.peak * fitness.exp() * fitness).nan_to_num()
        signed = torch.where(positive, -force, force)[..., None, None] * tau
        return signed * torch.where(positive[..., None, None], seen.templates, 1.0)

    def _follow(self, strangers: Tensor, quiet: Tensor, peak: Tensor) -> None:
        batch = torch.stack([log_mean_exp(strangers, 0), log_mean_exp(quiet, 0)])
        mixed = torch.logaddexp(self.log_z + math.log(self.keep), batch + math.log1p(-self.keep))
        self.log_z.copy_(torch.where(self.started, mixed, batch))
        self.peak.copy_(torch.where(self.started, self.peak.lerp(peak, 1 - self.keep), peak))
        self.started.fill_(True)
