"""Explainer networks (ICLR 2020 submission): what share of a performer's features are parts.

An explainer reads maps F of a trained network, the performer, and makes of them the features that
the performer's upper layers read, on two tracks: one of part filters, which have masks and a filter
loss, and an ordinary one. p says how the tracks are mixed. A decoder, two layers of the performer,
then has to give what these layers gave.

    u1 = ReLU(conv-interp-1(F)),  u2 = ReLU(conv-interp-2(mask(u1))),  x_I = norm(pool(mask(u2)))
    x_O = norm(pool(ReLU(conv-ordin(F)))),  x_enc = p x_I + (1 - p) x_O,  p = sigmoid(w_p)

Notation: F (B, D, n, n); D' filters and l x l cells after pooling; a_k is the mean activation
magnitude of channel k (section 3.1, norm-layer). Numbered resolutions: specification explainer.md.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clearfilters.methods.part_filters import FilterLoss, PartMask, Pull
from clearfilters.models.surgery import initialise

KERNEL = 3  # side of the convolutions' filters (section 4)
# Least magnitude that a channel is divided by, where all are dead (specification 7.2).
LEAST_MAGNITUDE = 1e-6


class Norm(nn.Module):
    """Divides each channel by its mean activation magnitude, so that p compares the tracks.

    In training a_k is the batch's own and takes part in the gradient, in evaluation it is the
    running average: without the gradient the loss is not what the steps descend (specification
    7.8, which overrules resolution 10).

    Attributes:
        running: moving average of a (D,).
        started: whether a batch was seen.
        dead: share of the mean magnitude below which a channel is divided by the mean instead.
    """

    running: Tensor
    started: Tensor

    def __init__(self, channels: int, *, momentum: float, dead: float) -> None:
        """A layer before its first batch; a batch has the share `momentum` of the average."""
        super().__init__()
        self.momentum = momentum
        self.dead = dead
        self.register_buffer("running", torch.ones(channels))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def forward(self, maps: Tensor, positive: Tensor) -> Tensor:
        """Maps x (B, D, l, l) -> x / a.

        Args:
            maps: x.
            positive: bool (B,), the images that a is of in training.
        """
        magnitude = self.running
        if self.training:
            magnitude = torch.where(positive.any(), magnitudes(maps, positive), self.running)
            self._follow(magnitude, positive.any())
        mean = magnitude.mean()
        scale = torch.where(magnitude > self.dead * mean, magnitude, mean)
        return maps / scale.clamp(min=LEAST_MAGNITUDE)[:, None, None]

    def dead_channels(self) -> int:
        """How many channels count as dead by the running average."""
        return int((self.running <= self.dead * self.running.mean()).sum())

    @torch.no_grad()
    def _follow(self, magnitude: Tensor, is_known: Tensor) -> None:
        moved = torch.where(self.started, self.running.lerp(magnitude, self.momentum), magnitude)
        self.running.copy_(torch.where(is_known, moved, self.running))
        self.started.logical_or_(is_known)


def magnitudes(maps: Tensor, chosen: Tensor) -> Tensor:
    """a_k = E[sum_ij max(x_ijk, 0)] over the chosen images, (D,); 0 if none is.

    Args:
        maps: x (B, D, l, l).
        chosen: bool (B,).
    """
    weight = chosen.to(maps.dtype)
    sums = maps.clamp(min=0).sum(dim=(2, 3))
    return weight @ sums / weight.sum().clamp(min=1)


@dataclass(frozen=True)
class Encoded:
    """What an encoder made of a batch, with gradients.

    Attributes:
        first: u1 (B, D, n, n).
        parts: x_I (B, D', l, l).
        rest: x_O, likewise.
        mixed: x_enc.
    """

    first: Tensor
    parts: Tensor
    rest: Tensor
    mixed: Tensor


class Encoder(nn.Module):
    """Two tracks from maps F to features of the performer, and how they are mixed.

    Attributes:
        w_p: p = sigmoid(w_p), a scalar.
        scale: kappa, which gives x_enc the magnitude that the decoder was trained with
            (resolution 8); 1 leaves it as the norm layers do.
        positive: bool (B,), of the batch to come in training: the images that the norm layers'
            statistics are of; None for all.
        encoded: of the latest batch in training mode.
    """

    scale: Tensor

    def __init__(
        self,
        channels: int,
        filters: int,
        pool: nn.Module,
        *,
        standardisation: nn.Module,
        beta: float,
        init_std: float | None,
        momentum: float,
        dead: float,
    ) -> None:
        """An encoder before its first batch.

        Args:
            channels: D, of F.
            filters: D', of the performer's top convolution.
            pool: the performer's last pooling.
            standardisation: what the performer does to F before its top convolution.
            beta: slope of the masks times L; 4 in the paper.
            init_std: of the weights; None for He's rule.
            momentum: of `Norm`.
            dead: of `Norm`.
        """
        super().__init__()
        self.standardisation = standardisation
        self.conv_ordin = nn.Conv2d(channels, filters, KERNEL, padding=1)
        self.conv_interp1 = nn.Conv2d(channels, channels, KERNEL, padding=1)
        self.mask1 = PartMask(channels, beta=beta, variant="paper")
        self.conv_interp2 = nn.Conv2d(channels, filters, KERNEL, padding=1)
        self.mask2 = PartMask(filters, beta=beta, variant="paper")
        self.pool = pool
        self.norm_interp = Norm(filters, momentum=momentum, dead=dead)
        self.norm_ordin = Norm(filters, momentum=momentum, dead=dead)
        self.w_p = nn.Parameter(torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        self.positive: Tensor | None = None
        self.encoded: Encoded | None = None
        for mask in (self.mask1, self.mask2):
            mask.beta.requires_grad_(False)
        initialise(self, init_std)

    @property
    def convolutions(self) -> list[nn.Conv2d]:
        """conv-ordin, conv-interp-1 and conv-interp-2."""
        return [self.conv_ordin, self.conv_interp1, self.conv_interp2]

    @property
    def p(self) -> Tensor:
        """The share of the interpretable track, in (0, 1)."""
        return torch.sigmoid(self.w_p)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps F (B, D, n, n) -> kappa x_enc (B, D', l, l)."""
        inputs = self.standardisation(maps)
        first = F.relu(self.conv_interp1(inputs))
        second = F.relu(self.conv_interp2(self.mask1(first)))
        ordinary = F.relu(self.conv_ordin(inputs))
        positive = self.positive
        if positive is None or not self.training:
            positive = torch.ones(len(maps), dtype=torch.bool, device=maps.device)
        # bf16 is for convolutions.
        with torch.autocast(maps.device.type, enabled=False):
            dtype = self.w_p.dtype
            parts = self.norm_interp(self.pool(self.mask2(second)).to(dtype), positive)
            rest = self.norm_ordin(self.pool(ordinary).to(dtype), positive)
            mixed = self.p * parts + (1 - self.p) * rest
        if self.training:
            self.encoded = Encoded(first, parts, rest, mixed)
        return self.scale * mixed

    def take_encoded(self) -> Encoded:
        """What was made of the latest batch in training mode, once."""
        assert self.encoded is not None, "no forward pass in training mode since the last call"
        encoded, self.encoded = self.encoded, None
        return encoded


def find_encoder(network: nn.Module) -> Encoder | None:
    """The encoder of an explainer's network; None of any other."""
    return next((module for module in network.modules() if isinstance(module, Encoder)), None)


class MixedFilterLoss(FilterLoss):
    """The filter loss of an explainer's layer; a filter is of the category with the largest sums.

    Only its direction counts: see `Pull.held`.
    """

    def activation(self, maps: Tensor) -> Tensor:
        """sum_ij x_ij (B, D) (section 4.1: the category whose images activate the filter most)."""
        return maps.sum(dim=(2, 3))


def first_pull(encoder: Encoder, loss: FilterLoss, categories: Tensor) -> Pull:
    """The filter loss's gradient for conv-interp-1, at u1."""
    return loss.pull(encoder.mask1.take_seen(), categories)


def second_pull(encoder: Encoder, encoded: Encoded, loss: FilterLoss, categories: Tensor) -> Pull:
    """The filter loss's gradient for conv-interp-2, at z = p x_I + (1 - p) x_O (appendix H).

    It reaches x_I and p, and not conv-ordin. A normalised map sums to 1; the temperature of the
    loss is for maps with a mean of 1 (resolution 12).
    """
    p = encoder.p
    mixed = p * encoded.parts + (1 - p) * encoded.rest.detach()
    cells = mixed.shape[2] * mixed.shape[3]
    seen = encoder.mask2.see(cells * mixed)
    return Pull(mixed, loss.pull(seen, categories).gradient)


def reconstruction_errors(found: Tensor, wanted: Tensor) -> Tensor:
    """||x - x*||_2^2 of each image (B,), of a layer's outputs (B, ...)."""
    return (found - wanted).flatten(1).square().sum(dim=1)


def positive_norms(outputs: Tensor) -> Tensor:
    """||max(x*, 0)||_2 of each image (B,), of a layer's outputs (B, ...)."""
    return outputs.clamp(min=0).flatten(1).norm(dim=1)


def reconstruction_weight(weight: float, norms: Tensor) -> Tensor:
    """lambda_l = weight / E[||max(x*, 0)||_2], of the norms (N,) of training images (section 4).

    The paper's 5 x 10^4, times the 10^-5 of the whole loss, is a weight of 0.5.
    """
    return weight / norms.mean().clamp(min=LEAST_MAGNITUDE)
