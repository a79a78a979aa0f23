"""Receptive fields of the convolution that is measured, wherever it stands."""

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.convnet import convnet
from clearfilters.models.receptive_fields import top_field
from clearfilters.models.surgery import Surgery
from clearfilters.params.networks import ModelParams


def field_of(block: dict[str, Any], trunk_blocks: int) -> tuple[float, float, int]:
    """Stride, start and size."""
    top = ModelParams.model_validate(block).top
    assert top is not None
    network = convnet(2)
    Surgery(top.model_copy(update={"trunk_blocks": trunk_blocks})).replace(network, "convnet")
    assert isinstance(network, BlockNetwork) and isinstance(network.blocks, nn.Sequential)
    field = top_field(network.blocks, 64)
    return field.stride, field.start, field.size


@pytest.mark.parametrize(
    ("interpretable", "trunk_blocks", "expected"),
    [
        # The trunk's second convolution is followed by a pooling that the map is taken before.
        (False, 2, (2.0, 1.0, 8)),
        (False, 3, (4.0, 2.0, 18)),
        # A new convolution stands above that pooling.
        (True, 2, (4.0, 2.0, 18)),
        (True, 3, (4.0, 2.0, 26)),
    ],
)
def test_pooling_after_the_convolution_does_not_count(
    part_model: Callable[..., dict[str, Any]],
    interpretable: bool,
    trunk_blocks: int,
    expected: tuple[float, float, int],
) -> None:
    block = part_model(interpretable=interpretable, masks=interpretable)
    assert field_of(block, trunk_blocks) == expected
