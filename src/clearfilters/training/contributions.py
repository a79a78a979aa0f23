"""What the filters of an explainer contribute to a category's score, and where it looks.

Between max pooling's choices, the masks' templates and the sides of the ReLUs, all of which stay
where they are for a small change, what stands above an explainer's two tracks is linear. So of one
image the score z is the sum of each track's activations times dz/d(activation), and of what the
biases give. This is the linear model of the paper's figure 5, on the image itself; "the linear
model in (Zhang et al., 2018b)" says no more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from clearfilters.methods.explainer_training import Explainer
from clearfilters.models.classifier import Classifier

# The name of the filters that are of no part.
OTHER = "other"


@dataclass(frozen=True)
class Contributions:
    """What a category's scores of B images are made of, in the unit of the logit.

    Attributes:
        scores: z (B,), the explainer's.
        filters: of each filter of conv-interp-2, (B, D').
        ordinary: of the ordinary track, (B,).
        maps: of conv-interp-2 after ReLU and mask (B, D', n, n).
    """

    scores: Tensor
    filters: Tensor
    ordinary: Tensor
    maps: Tensor

    @property
    def rest(self) -> Tensor:
        """What is of no track, (B,): of the biases."""
        return self.scores - self.filters.sum(dim=1) - self.ordinary


def category_logit(outputs: int, category: int) -> int:
    """Which of a network's outputs is the score of a class: of a single one that of class 1."""
    return 0 if outputs == 1 else category


@torch.enable_grad()
def contributions(method: Explainer, inputs: Tensor, logit: int) -> Contributions:
    """The contributions to one of an explainer's logits.

    Args:
        method: in evaluation mode, above its frozen blocks.
        inputs: what these give (B, c, h', w').
        logit: its index.
    """
    encoder = method.encoder
    taken: dict[str, Tensor] = {}

    def take(name: str, layer: nn.Module) -> Any:
        def hook(_layer: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
            taken[name] = output.detach().requires_grad_()
            return taken[name]

        return layer.register_forward_hook(hook)

    # At conv-ordin itself: where ReLU is linear, its input and output contribute the same.
    hooks = [take("parts", encoder.mask2), take("ordinary", encoder.conv_ordin)]
    try:
        scores = method(inputs)[:, logit]
    finally:
        for hook in hooks:
            hook.remove()
    gradients = torch.autograd.grad(scores.sum(), [taken["parts"], taken["ordinary"]])
    products = [
        (taken[name].detach().float() * gradient.float()).sum(dim=(2, 3))
        for name, gradient in zip(("parts", "ordinary"), gradients, strict=True)
    ]
    return Contributions(
        scores.detach(), products[0], products[1].sum(dim=1), taken["parts"].detach()
    )


@torch.no_grad()
def performer_outputs(method: Explainer, inputs: Tensor) -> Tensor:
    """The performer's logits (B, outputs) of what the frozen blocks give (B, c, h', w')."""
    return _run(method.performer, inputs)


def performer_cam(method: Explainer, inputs: Tensor, logit: int) -> Tensor:
    """Grad-CAM of the performer's top convolution after ReLU, (B, n, n); see `grad_cam`."""
    performer = method.performer

    def run(maps: Tensor) -> Tensor:
        return _run(performer, maps)

    activations = [x for x in performer.backbone.modules() if isinstance(x, nn.ReLU | nn.ReLU6)]
    return grad_cam(run, activations[-1], inputs, logit)


def explainer_cam(method: Explainer, inputs: Tensor, logit: int) -> Tensor:
    """Grad-CAM of conv-interp-2 after ReLU and mask, (B, n, n); see `grad_cam`."""
    return grad_cam(method, method.encoder.mask2, inputs, logit)


def grad_cam(run: Any, layer: nn.Module, inputs: Tensor, logit: int) -> Tensor:
    """max(sum_k w_k A_k, 0), w_k the mean of dz/dA_k over cells (Selvaraju et al. 2017), captum's.

    Args:
        run: inputs -> logits (B, outputs).
        layer: whose output is A (B, K, n, n).
        inputs: (B, ...).
        logit: z, the index of an output.
    """
    found: Tensor = LayerGradCam(run, layer).attribute(
        inputs.detach().requires_grad_(), target=logit, relu_attributions=True
    )
    return found.detach()[:, 0]


def by_part(values: Tensor, part_of: Sequence[str | None], names: Sequence[str]) -> dict[str, Any]:
    """The sums over the filters of each part, and of `OTHER`.

    Args:
        values: one for each filter, along the first dimension.
        part_of: of each filter; None for none.
        names: the parts, those without filters included.

    Returns:
        Part -> the sum over its filters, 0 without any.
    """
    return {name: values[filters_of(name, part_of)].sum(dim=0) for name in (*names, OTHER)}


def filters_of(name: str, part_of: Sequence[str | None]) -> npt.NDArray[np.intp]:
    """The filters of a part, or of `OTHER`."""
    return np.array([f for f, part in enumerate(part_of) if (part or OTHER) == name], np.intp)


def shares(of_parts: Mapping[str, float]) -> dict[str, float | None]:
    """Each part's share of the sum over all of them; None where that is not above 0."""
    total = sum(of_parts.values())
    return {name: value / total if total > 0 else None for name, value in of_parts.items()}


def _run(performer: Classifier, inputs: Tensor) -> Tensor:
    # Maps of frozen blocks in bf16 are taken for what they are.
    own = inputs.to(next(performer.parameters()).dtype)
    return performer.logits(performer.parts.feature_maps(own))
