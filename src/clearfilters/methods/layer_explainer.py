"""An explainer of two layers of a network of one's own (ICLR 2020 submission, explainer.py).

    F -> encoder -> x_enc -> copies of the two layers, trained on -> what the layers give for F

In a loop of one's own, `layers` two modules that run one after the other and read F:

    >>> import torch
    >>> layers = [torch.nn.Conv2d(6, 6, 3, padding=1), torch.nn.Conv2d(6, 4, 3)]
    >>> explainer = LayerExplainer(*layers, channels=6, eta=10.0)
    >>> maps = torch.rand(5, 6, 8, 8)
    >>> explainer.begin(maps)
    >>> optimizer = torch.optim.SGD(explainer.groups(lr=1e-3, decoder_lr=1e-5, p_lr=0.03))
    >>> explainer.cost(maps).backward()
    >>> optimizer.step()
    >>> 0 < float(explainer.encoder.p.detach()) < 1
    True

Without the filter loss, whose published weight changed nothing here.
"""

import copy
from typing import Any, Self

import torch
from torch import Tensor, nn

from clearfilters.methods.explainer import (
    Encoder,
    magnitudes,
    positive_norms,
    reconstruction_errors,
    reconstruction_weight,
)


class LayerExplainer(nn.Module):
    """An encoder for F, and a decoder that starts as a copy of the two layers.

    Attributes:
        encoder: the two tracks, and p.
        decoder: copies of the layers.
        layers: the network's own, frozen.
        eta: weight of -log p.
        reconstruction: weight of the reconstruction before `begin`.
        weights: lambda_l of the two layers (2,), from `begin`.
    """

    weights: Tensor

    def __init__(
        self,
        first: nn.Module,
        second: nn.Module,
        *,
        channels: int,
        eta: float,
        reconstruction: float = 0.5,
        beta: float = 4.0,
        momentum: float = 0.1,
        dead: float = 0.01,
    ) -> None:
        """An explainer before its first batch; the layers are copied.

        Args:
            first: reads F (B, D, n, n).
            second: reads what `first` gives.
            channels: D.
            eta: weight of -log p; 10 in the paper for AlexNet, in units of 1e-5 times the paper's.
            reconstruction: weight of the reconstruction, likewise; 0.5 in the paper.
            beta: slope of the masks times n; 4 in the paper.
            momentum: of the norm layers' running average, see `explainer.Norm`.
            dead: likewise.
        """
        super().__init__()
        self.encoder = Encoder(
            channels,
            channels,
            nn.Identity(),
            standardisation=nn.Identity(),
            beta=beta,
            init_std=None,
            momentum=momentum,
            dead=dead,
        )
        self.layers = nn.ModuleList(copy.deepcopy([first, second])).requires_grad_(False)
        self.decoder = nn.ModuleList(copy.deepcopy([first, second])).requires_grad_(True)
        self.eta = eta
        self.reconstruction = reconstruction
        self.register_buffer("weights", torch.ones(2))
        self.train()

    def train(self, mode: bool = True) -> Self:
        """As ever, but the layers and their copies stay as they are tested."""
        super().train(mode)
        self.layers.eval()
        self.decoder.eval()
        return self

    @torch.no_grad()
    def begin(self, maps: Tensor) -> None:
        """Take lambda_l, and the magnitude that x_enc is given, from F of training images."""
        everything = torch.ones(len(maps), dtype=torch.bool, device=maps.device)
        self.encoder.scale.copy_(magnitudes(maps, everything).mean())
        for number, outputs in enumerate(_outputs(self.layers, maps)):
            norms = positive_norms(outputs)
            self.weights[number] = reconstruction_weight(self.reconstruction, norms)

    def cost(self, maps: Tensor) -> Tensor:
        """Eq. 1 without filter losses, a mean over images: a scalar.

        Args:
            maps: F (B, D, n, n) of the network, without gradient.
        """
        with torch.no_grad():
            wanted = _outputs(self.layers, maps)
        found = _outputs(self.decoder, self.encoder(maps))
        errors = [reconstruction_errors(*pair).mean() for pair in zip(found, wanted, strict=True)]
        return self.weights @ torch.stack(errors) - self.eta * torch.log(self.encoder.p)

    def groups(self, *, lr: float, decoder_lr: float, p_lr: float) -> list[dict[str, Any]]:
        """Parameters for an optimizer, with the rates of convolutions, decoder and p."""
        convolutions = [p for layer in self.encoder.convolutions for p in layer.parameters()]
        return [
            {"params": convolutions, "lr": lr},
            {"params": list(self.decoder.parameters()), "lr": decoder_lr},
            {"params": [self.encoder.w_p], "lr": p_lr, "weight_decay": 0.0},
        ]


def _outputs(layers: nn.ModuleList, maps: Tensor) -> list[Tensor]:
    found = []
    for layer in layers:
        maps = layer(maps)
        found.append(maps)
    return found
