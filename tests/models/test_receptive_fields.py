"""Receptive fields against a published table and against the gradients of the networks."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from clearfilters.errors import ClearfiltersError
from clearfilters.models.receptive_fields import (
    Layer,
    ReceptiveField,
    geometry_of,
    layers_of,
    receptive_field,
)
from clearfilters.registry import BLOCK_NETWORKS, load

CONV3: Layer = (3, 1, 1)
ALEXNET: list[Layer] = [(11, 4, 0), (3, 2, 0), (5, 1, 2), (3, 2, 0)]
VGG_M: list[Layer] = [(7, 2, 0), (3, 2, 0), (5, 2, 1), (3, 2, 0)]
VGG_S: list[Layer] = [(7, 2, 0), (3, 3, 0), (5, 1, 0), (2, 2, 0)]
POOL2: Layer = (2, 2, 0)
VGG_16: list[Layer] = [
    *[CONV3] * 2, POOL2, *[CONV3] * 2, POOL2, *[CONV3] * 3, POOL2, *[CONV3] * 3, POOL2
]  # fmt: skip
# The table of the interpretable CNNs' spec, section 5: network, size of image, the layers before
# its conv3 (conv5_1), how many blocks they are, the pooling behind conv6, positions of the maps
# and of the pooled ones, stride, c0, sizes of conv3 to conv6 (conv5_1 to conv6), and stride, c0
# and size of the pooled maps.
TABLE = [
    (
        "caffe-alexnet", 227, ALEXNET, 2, (3, 2, 0), 13, 6,
        16, 18, (99, 131, 163, 195), (32, 34, 227),
    ),
    (
        "vgg-m", 224, VGG_M, 2, (3, 2, 0), 13, 6,
        16, 18, (75, 107, 139, 171), (32, 34, 203),
    ),
    (
        "vgg-s", 224, VGG_S, 2, (3, 3, 1), 17, 6,
        12, 21, (65, 89, 113, 137), (36, 33, 161),
    ),
    (
        "vgg16", 224, VGG_16, 10, (2, 2, 0), 14, 7,
        16, 8.5, (132, 164, 196, 228), (32, 16.5, 244),
    ),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_table(row: tuple) -> None:
    name, image_size, before, count, pool, n, pooled_n, stride, c0, sizes, pooled = row
    with torch.device("meta"):
        network = load(BLOCK_NETWORKS[name])(num_classes=3)
        filters = network.last_conv.out_channels
        side, step, zeros = pool
        further = [
            nn.Sequential(nn.Conv2d(filters, filters, 3, padding=1), nn.ReLU()),
            nn.Sequential(nn.ZeroPad2d((0, zeros, 0, zeros)), nn.MaxPool2d(side, step)),
        ]
        blocks = [*network.blocks, *further]
        image = torch.empty(1, 3, image_size, image_size)
        assert nn.Sequential(*blocks[:-1])(image).shape[-2:] == (n, n)
        assert nn.Sequential(*blocks)(image).shape[-2:] == (pooled_n, pooled_n)
    # Theirs counts pixels from 1 and puts them at whole numbers; ours puts pixel 0 at 0 to 1.
    for number, size in enumerate(sizes, start=1):
        expected = ReceptiveField(stride, c0 - 0.5, size)
        assert receptive_field([*before, *[CONV3] * number]) == expected
        assert geometry_of(blocks[: count + number], image_size) == expected
    expected = ReceptiveField(pooled[0], pooled[1] - 0.5, pooled[2])
    assert receptive_field([*before, *[CONV3] * 4, (side, step, 0)]) == expected
    assert geometry_of(blocks, image_size) == expected


def test_an_image_sees_itself() -> None:
    assert receptive_field([]) == geometry_of([], 224) == ReceptiveField(1, 0.5, 1)


@pytest.mark.parametrize(("name", "stages"), [("resnet18", 2), ("resnet50", 3)])
def test_resnets_stay_aligned_with_the_edge(name: str, stages: int) -> None:
    with torch.device("meta"):
        network = load(BLOCK_NETWORKS[name])(num_classes=3)
    blocks = {"resnet18": (1, 3, 5, 7, 9), "resnet50": (1, 4, 8, 14, 17)}[name]
    fields = [geometry_of(network.blocks[:count], 224) for count in blocks]
    assert [(field.stride, field.start) for field in fields] == [
        (4, 0.5), (4, 0.5), (8, 0.5), (16, 0.5), (32, 0.5)
    ]  # fmt: skip


def seen(blocks: nn.Sequential, image_size: int, position: int) -> tuple[int, int]:
    """First pixel of the square whose gradients are not 0, and the one behind its last."""
    images = torch.rand(1, 3, image_size, image_size, requires_grad=True)
    maps: Tensor = blocks(images)
    (gradient,) = torch.autograd.grad(maps[0, :, position, position].sum(), images)
    found = gradient[0].abs().sum(dim=0) > 0
    rows, columns = (found.any(dim=axis).nonzero()[:, 0].tolist() for axis in (1, 0))
    assert (rows[0], rows[-1]) == (columns[0], columns[-1])
    return rows[0], rows[-1] + 1


def expected_square(field: ReceptiveField, image_size: int, position: int) -> tuple[float, float]:
    """The same by geometry: what lies in the image."""
    centre = field.start + position * field.stride
    return max(centre - field.size / 2, 0), min(centre + field.size / 2, image_size)


# First positions reach one border of the image, last ones the other, middle ones of small fields
# none. VGG-M and VGG-S have no eyes for the last row and column: their last fields are left out.
@pytest.mark.parametrize(
    ("name", "count", "image_size", "positions"),
    [
        ("caffe-alexnet", 5, 227, (0, 3, 6, 12)),
        ("vgg-m", 3, 224, (0, 6, 10)),
        ("vgg-m", 5, 224, (0, 3, 6, 8)),
        ("vgg-s", 5, 224, (0, 4, 8, 12)),
        ("vgg16", 13, 224, (0, 7, 13)),
        ("resnet18", 7, 224, (0, 6, 13)),
        ("efficientnet-lite0", 8, 224, (0, 6, 13)),
        ("efficientnet-lite0", 12, 224, (0, 1, 12, 13)),
        ("efficientnet-lite0", 13, 224, (0, 3, 5, 6)),
        ("efficientnet-lite0", 13, 448, (0, 1, 6, 7, 13)),
        # Other sides are padded otherwise.
        ("efficientnet-lite0", 9, 225, (0, 7, 14)),
        ("efficientnet-lite0", 9, 234, (0, 7, 14)),
    ],
)
def test_gradients_reach_as_far(
    name: str, count: int, image_size: int, positions: Sequence[int]
) -> None:
    torch.manual_seed(0)
    network = load(BLOCK_NETWORKS[name])(num_classes=3)
    blocks = network.blocks[:count].requires_grad_(False).eval()
    field = geometry_of(blocks, image_size)
    for position in positions:
        found = seen(blocks, image_size, position)
        assert found == expected_square(field, image_size, position), position


def test_same_padding_depends_on_the_size_of_the_image() -> None:
    with torch.device("meta"):
        network = load(BLOCK_NETWORKS["efficientnet-lite0"])(num_classes=3)
    even, odd = (layers_of(network.blocks[:1], size) for size in (224, 225))
    assert (even, odd) == ([(3, 2, 0)], [(3, 2, 1)])
    assert geometry_of(network.blocks[:12], 224) == ReceptiveField(16, 15.5, 339)
    assert geometry_of(network.blocks[:12], 225) == ReceptiveField(16, 0.5, 339)


@pytest.mark.parametrize(
    "layer",
    [
        nn.AvgPool2d(2),
        nn.Conv2d(3, 3, (3, 5)),
        nn.Conv2d(3, 3, 3, padding=(1, 0)),
        nn.Conv2d(3, 3, 3, padding="same"),
        nn.Conv2d(3, 3, 3, dilation=2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.ZeroPad2d((1, 0, 0, 0)),
    ],
)
def test_layers_of_unknown_geometry_are_named(layer: nn.Module) -> None:
    with pytest.raises(ClearfiltersError) as caught:
        geometry_of([nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU(), layer)], 224)
    assert str(layer) in str(caught.value) and "is not known" in str(caught.value)
