"""A network's trunk with a new top: the networks of the interpretable-CNN paper (CVPR 2018).

All from the last pooling on gives way to (spec of the authors' code)

    [mask A] conv 3x3 - ReLU - max pooling - [mask B] - fully connected layers

and an ordinary network to max pooling and fully connected layers. Where a trunk's maps are signed,
a new convolution with ReLU on its standardised maps stands for the trunk's own top convolution.
"""

from collections import OrderedDict
from typing import Any, cast

from torch import nn

from clearfilters.errors import ClearfiltersError
from clearfilters.methods.part_filters import PartMask
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.classifier import Classifier
from clearfilters.models.standardisation import Standardisation
from clearfilters.params.networks import TopParams
from clearfilters.registry import BLOCK_NETWORKS

KERNEL = 3  # side of a new convolution's filters (section 5)


def new_top(channels: int, top: TopParams) -> nn.Sequential:
    """What stands above a trunk, freshly initialised, below the fully connected layers.

    Args:
        channels: of the trunk's maps.
        top: the experiment's.

    Raises:
        ClearfiltersError: if no filters are left for parts.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if top.standardised:
        layers["standardisation"] = Standardisation(channels)
    filters = channels
    if top.convolution is not None:
        filters = top.convolution
        layers["conv1"] = nn.Conv2d(channels, filters, KERNEL, padding=1)
        layers["relu1"] = nn.ReLU()
    if top.ordinary >= filters:
        raise ClearfiltersError(
            f"model.top.ordinary: {top.ordinary}, but the layers have {filters} filters; leave "
            "some for parts"
        )
    own = filters - top.ordinary
    mask: dict[str, Any] = {"beta": top.beta, "variant": top.template, "masks": top.masks}
    if top.interpretable:
        layers["mask_a"] = PartMask(own, **mask)
        layers["conv2"] = nn.Conv2d(filters, filters, KERNEL, padding=1)
        layers["relu2"] = nn.ReLU()
    zeros = top.pool.zeros
    if zeros:
        # Zeros change no maximum: ReLU came before.
        layers["zeros"] = nn.ZeroPad2d((0, zeros, 0, zeros))
    layers["pool"] = nn.MaxPool2d(top.pool.side, top.pool.stride)
    if top.interpretable:
        layers["mask_b"] = PartMask(own, **mask)
    return nn.Sequential(layers)


class Surgery:
    """Replaces all above a trunk."""

    def __init__(self, top: TopParams) -> None:
        """With what an experiment wants above it."""
        self.top = top

    def replace(self, network: nn.Module, name: str) -> None:
        """Replace the last blocks of a network, in place.

        Raises:
            ClearfiltersError: if it is no sequence of blocks, or has not so many.
        """
        if not isinstance(network, BlockNetwork):
            raise ClearfiltersError(
                f"model.top: `{name}` is no sequence of blocks; choose one of "
                f"{', '.join(BLOCK_NETWORKS)}, or leave model.top out"
            )
        count = len(network.blocks)
        keep = count if self.top.trunk_blocks is None else self.top.trunk_blocks
        if keep > count:
            raise ClearfiltersError(
                f"model.top.trunk_blocks: {keep}, but `{name}` has {count} blocks; name fewer, or "
                "null for all"
            )
        trunk = [layer for layer in network.blocks[:keep].modules() if isinstance(layer, nn.Conv2d)]
        network.replace_above(keep, new_top(trunk[-1].out_channels, self.top))

    def finish(self, network: Classifier) -> None:
        """Draw the new weights of the whole network, and note the factors of its parameters."""
        assert network.fc is not None
        for layers in (cast(BlockNetwork, network.backbone).blocks[-1], network.fc):
            initialise(layers, self.top.init_std)
        network.factors = factors(network, self.top)


def initialise(layers: nn.Module, std: float | None) -> None:
    """New weights, N(0, std^2), or He's for `std` None; biases 0."""
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d):
            if std is None:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            else:
                nn.init.normal_(layer.weight, std=std)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)


def factors(network: nn.Module, top: TopParams) -> dict[str, tuple[float, float]]:
    """Factors on learning rate and weight decay of a network's parameters, by name.

    They are the authors': of the biases of new layers, of the bias of the trunk's top convolution,
    and of beta. Other parameters have none.

    Args:
        network: the whole network; its last block and its head are new.
        top: the experiment's.
    """
    blocks = [name for name, _ in network.named_modules() if name.startswith("backbone.blocks.")]
    last = max(int(name.split(".")[2]) for name in blocks)
    found: dict[str, tuple[float, float]] = {}
    trunk_bias = ""
    for name, layer in network.named_modules():
        is_new = name.startswith((f"backbone.blocks.{last}.", "fc."))
        if isinstance(layer, PartMask):
            found[f"{name}.beta"] = (top.beta_lr, 0.0)
        elif isinstance(layer, nn.Conv2d) and is_new:
            found[f"{name}.bias"] = (top.new_bias.lr, top.new_bias.decay)
        elif isinstance(layer, nn.Conv2d) and layer.bias is not None:
            trunk_bias = f"{name}.bias"
    if trunk_bias:
        found[trunk_bias] = (top.trunk_bias_lr, 1.0)
    return found


def part_masks(network: nn.Module) -> list[PartMask]:
    """The masks of a network, from the bottom: A, then B."""
    return [module for module in network.modules() if isinstance(module, PartMask)]
