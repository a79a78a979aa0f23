"""White-box attacks: FGSM, PGD and CW as torchattacks computes them, each image on its own.

They see the path that is used for testing (STD), pixels in [0, 1] and float32.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torchattacks
from torch import Tensor, nn
from torch.nn import functional as F

from clearfilters.attacks.attackable import check_attackable
from clearfilters.attacks.batches import padded_batches
from clearfilters.params.attacks import CwParams, FgsmParams, PgdParams, WhiteBoxParams
from clearfilters.progress import progress
from clearfilters.registry import ATTACKS, load

# CW starts at most at this tanh, as in foolbox: at 1 the start is infinite, and a pixel that is
# exactly 0 or 1 could never move.
LARGEST_TANH = 1 - 1e-6


class IndependentCW(torchattacks.CW):  # type: ignore[misc]  # torchattacks has no types
    """torchattacks' CW (Carlini and Wagner 2017, L2, one c) with the paper's f for every image.

    torchattacks 3.5.1 takes the maxima over logits with the others set to 0: a target whose logit
    is negative gets no gradient. It stops a whole batch when the batch's cost has risen. And it
    never moves pixels at exactly 0 or 1.
    """

    def inverse_tanh_space(self, x: Tensor) -> Tensor:
        """Where the steps start: pixels in [0, 1], any shape, to finite numbers."""
        return torch.atanh((2 * x - 1).clamp(-LARGEST_TANH, LARGEST_TANH))

    def f(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The paper's f_6, (N,): the margin that is left to close, at least -kappa; minus infinity.

        The offset leaves the gradients alone. With it the batch's cost never rises, so all steps
        are made for every image.

        Args:
            outputs: logits (N, C).
            labels: the targets of a targeted attack, else the true labels, (N,).
        """
        chosen = F.one_hot(labels, outputs.shape[1]).bool()
        own = outputs.masked_fill(~chosen, -torch.inf).amax(dim=1)
        other = outputs.masked_fill(chosen, -torch.inf).amax(dim=1)
        margin = other - own if self.targeted else own - other
        return margin.clamp(min=-self.kappa) - torch.inf


def fgsm(model: nn.Module, params: FgsmParams) -> torchattacks.attack.Attack:
    """One signed gradient step."""
    return torchattacks.FGSM(model, eps=params.eps)


def pgd(model: nn.Module, params: PgdParams) -> torchattacks.attack.Attack:
    """Projected gradient steps, from the image itself."""
    return torchattacks.PGD(
        model, eps=params.eps, alpha=params.alpha, steps=params.steps, random_start=False
    )


def cw(model: nn.Module, params: CwParams) -> torchattacks.attack.Attack:
    """Carlini and Wagner's, L2."""
    return IndependentCW(model, c=params.c, kappa=params.kappa, steps=params.steps, lr=params.lr)


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Eval mode and no gradients for parameters; both as before afterwards."""
    training = [(module, module.training) for module in model.modules()]
    trained = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        for module, mode in training:
            module.training = mode
        for parameter, required in trained:
            parameter.requires_grad_(required)


def attack_images(
    model: nn.Module, images: Tensor, classes: Tensor, params: WhiteBoxParams, batch_size: int
) -> Tensor:
    """Adversarial versions of images, the same in any order and company.

    FGSM: Goodfellow et al. 2015; PGD: Madry et al. 2018, started at the image; CW: Carlini and
    Wagner 2017 without a search for c, which returns the image itself where it finds nothing.

    Args:
        model: takes float32 (N, 3, H, W) in [0, 1] and returns logits (N, C). Its mode and its
            parameters' `requires_grad` are the same afterwards.
        images: float32 (N, 3, H, W), in [0, 1].
        classes: int64 (N,): the targets of a targeted attack, else the true labels.
        params: the attack; `eps` and `alpha` in units of the pixels.
        batch_size: images per batch; the last batch is filled up. Rounding depends on it.

    Returns:
        float32 (N, 3, H, W) in [0, 1], on the CPU; for FGSM and PGD within `eps` of `images`.

    Raises:
        ClearfiltersError: if the images are not float32 in [0, 1], or the model does not return
            one logits tensor.
    """
    device = next(model.parameters()).device
    images, classes = images.to(device), classes.to(device)
    found = []
    with _frozen(model):
        check_attackable(model, images)
        batches = padded_batches(len(images), batch_size)
        for batch in progress(batches, params.method, "batches"):
            # A new object each time: a targeted mode, once set, stays.
            attack = load(ATTACKS[params.method].build)(model, params)
            if params.targeted:
                attack.set_mode_targeted_by_label(quiet=True)
            pixels = images[batch].contiguous(memory_format=torch.channels_last)
            found.append(attack(pixels, classes[batch]).cpu())
    return torch.cat(found)[: len(images)]
