"""EfficientNet-Lite0 against the package that its published weights come with."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from clearfilters.errors import ClearfiltersError
from clearfilters.models import efficientnet_lite
from clearfilters.models.activations import pooled_activations
from clearfilters.models.classifier import Classifier, build_classifier
from clearfilters.models.efficientnet_lite import InvertedBottleneck
from clearfilters.models.pretrained import load_pretrained
from clearfilters.registry import BLOCK_NETWORKS, load


def build() -> Classifier:
    """A random network in eval mode."""
    return build_classifier(
        "efficientnet-lite0", num_classes=5, width=None, mean=[0.1] * 3, std=[0.5] * 3
    ).eval()


def test_blocks_and_filters() -> None:
    with torch.device("meta"):
        network = load(BLOCK_NETWORKS["efficientnet-lite0"])(num_classes=5)
        maps = network.feature_maps(torch.empty(1, 3, 128, 128))
    assert maps.shape == (1, 1280, 4, 4) and network.head.in_features == 1280
    assert len(network.blocks) == 18
    assert all(isinstance(block, InvertedBottleneck) for block in network.blocks[1:-1])
    assert network.last_conv is network.blocks[-1][0]  # type: ignore[index]
    # Tan and Le 2019: 4.65 million parameters with the linear layer of 1,000 classes.
    count = sum(p.numel() for p in network.blocks.parameters()) + 1000 * 1281
    assert round(count / 1e6, 2) == 4.65


@torch.no_grad()
def test_every_convolution_has_its_activation() -> None:
    with torch.device("meta"):
        model = build()
        channels: list[int] = []
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(lambda conv, *_: channels.append(conv.out_channels))
        with pooled_activations(model) as pooled:
            model(torch.empty(1, 3, 64, 64))
    assert [layer.shape[1] for layer in pooled] == channels
    assert len(set(model.parts.activations)) == len(channels) == 1 + 2 + 15 * 3 + 1


@torch.no_grad()
@pytest.mark.parametrize("side", [128, 97])
def test_published_weights_give_the_maps_of_the_published_code(tmp_path: Path, side: int) -> None:
    reference: Any = pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip(efficientnet_lite.PACKAGE)
    # Its padding is fixed for one size of image; ours follows the image.
    original = reference.EfficientNet.from_name("efficientnet-lite0", image_size=side)
    original.load_state_dict(torch.load(efficientnet_lite.packaged_weights(), weights_only=True))
    model = build()
    told = load_pretrained(model, "efficientnet-lite0", "package", tmp_path)
    assert told.startswith("efficientnet-lite0-57934424.pth, sha256 ")
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (2, 3, side, side)).float()
    expected = original.eval().extract_features((pixels - 127) / 128)
    found = model.feature_maps(pixels / 255)
    assert expected.std() > 0
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(efficientnet_lite, "import_module", absent)
    with pytest.raises(ClearfiltersError, match=r"pip install 'clearfilters\[efficientnet\]'"):
        load_pretrained(build(), "efficientnet-lite0", "package", tmp_path)
