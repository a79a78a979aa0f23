"""ResNets, AlexNet and VGG-16 against torchvision's own, and weights from files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from clearfilters.errors import ClearfiltersError
from clearfilters.models.activations import pooled_activations
from clearfilters.models.classifier import Classifier, build_classifier
from clearfilters.models.pretrained import IMAGENET_MEAN, IMAGENET_STD, load_pretrained
from clearfilters.models.torchvision_networks import Residual
from clearfilters.registry import BLOCK_NETWORKS, load

RESNETS = {"resnet18": 2 * 8 + 2, "resnet50": 3 * 16 + 2, "resnet101": 101, "resnet152": 152}
Tensors = dict[str, Tensor]


def build(name: str) -> Classifier:
    """A random network in eval mode, without torchvision's normalisation."""
    torch.manual_seed(0)
    return build_classifier(name, num_classes=3, width=None, mean=[0.1] * 3, std=[0.5] * 3).eval()


def randomise(module: nn.Module) -> nn.Module:
    """Give BatchNorm something to do, so that a tensor in a wrong place shows."""
    torch.manual_seed(1)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                nn.init.uniform_(tensor, 0.1, 0.3)
        elif isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.uniform_(layer.bias)
    return module.eval()


def torchvision_resnet(name: str) -> tuple[Tensors, Callable[[Tensor], Tensor]]:
    """The state of a random one of torchvision's, and its maps."""
    net: Any = randomise(torchvision.models.get_model(name))

    def maps(x: Tensor) -> Tensor:
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        return net.layer4(net.layer3(net.layer2(net.layer1(x))))

    return net.state_dict(), maps


def torchvision_features(name: str) -> tuple[Tensors, Callable[[Tensor], Tensor]]:
    """The same for AlexNet and VGG, whose large linear layers are left out."""
    with torch.device("meta"):
        net = torchvision.models.get_model(name)
    features = randomise(net.features.to_empty(device="cpu"))
    state = {f"features.{key}": value for key, value in features.state_dict().items()}
    return {**state, "classifier.6.bias": torch.zeros(1000)}, features[:-1]


@pytest.fixture(scope="module")
def resnet18_state() -> Tensors:
    """The state of a random ResNet18 of torchvision's."""
    return torchvision_resnet("resnet18")[0]


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "theirs", "filters", "suffix"),
    [
        ("resnet18", "resnet18", 512, ".pth"),
        ("resnet18", "resnet18", 512, ".safetensors"),
        ("resnet50", "resnet50", 2048, ".pth"),
        ("alexnet-imagenet", "alexnet", 256, ".pth"),
        ("vgg16", "vgg16", 512, ".pth"),
    ],
)
def test_imported_weights_give_the_maps_of_torchvision(
    tmp_path: Path, name: str, theirs: str, filters: int, suffix: str
) -> None:
    original = torchvision_resnet if "resnet" in theirs else torchvision_features
    state, maps = original(theirs)
    (save_file if suffix == ".safetensors" else torch.save)(state, tmp_path / f"net{suffix}")
    model = build(name)
    head = model.head.weight.clone()
    told = load_pretrained(model, name, f"net{suffix}", tmp_path)
    assert told.startswith(f"net{suffix}, sha256 ")
    images = torch.rand(1, 3, 96, 96)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    expected = maps((images - mean) / std)
    found = model.feature_maps(images)
    assert expected.std() > 0 and found.shape[1] == filters == model.head.in_features
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.max()))
    assert torch.equal(model.head.weight, head)


@pytest.mark.parametrize("name", RESNETS)
def test_published_names_and_shapes_are_those_of_torchvision(name: str) -> None:
    with torch.device("meta"):
        network = load(BLOCK_NETWORKS[name])(num_classes=3)
        theirs = torchvision.models.get_model(name).state_dict()
    ours = network.blocks.state_dict()
    found = {theirs: tuple(ours[key].shape) for key, theirs in network.published_names.items()}
    expected = {key: tuple(v.shape) for key, v in theirs.items() if not key.startswith("fc.")}
    assert found == expected
    depth = RESNETS[name]
    convolutions = [
        module
        for path, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and "downsample" not in path
    ]
    assert len(convolutions) + 1 == depth  # and the linear layer
    assert network.last_conv is convolutions[-1]


@pytest.mark.parametrize(
    ("name", "blocks"),
    [("resnet18", 9), ("resnet50", 17), ("resnet152", 51), ("alexnet-imagenet", 5), ("vgg16", 13)],
)
def test_blocks(name: str, blocks: int) -> None:
    with torch.device("meta"):
        network = load(BLOCK_NETWORKS[name])(num_classes=3)
    assert len(network.blocks) == blocks
    if name.startswith("resnet"):
        assert all(isinstance(block, Residual) for block in network.blocks[1:])
    else:
        for block in network.blocks:
            assert sum(isinstance(layer, nn.Conv2d) for layer in block.modules()) == 1
        assert isinstance(network.blocks[-1][-1], nn.ReLU)  # type: ignore[index]


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "alexnet-imagenet", "vgg16"])
def test_every_convolution_has_its_activation(name: str) -> None:
    with torch.device("meta"):
        model = build_classifier(name, num_classes=3, width=None, mean=[0.0] * 3, std=[1.0] * 3)
        channels: list[int] = []
        for path, module in model.named_modules():
            if isinstance(module, nn.Conv2d) and "downsample" not in path:
                module.register_forward_hook(lambda conv, *_: channels.append(conv.out_channels))
        with pooled_activations(model) as pooled:
            maps = model.feature_maps(torch.empty(1, 3, 128, 128))
    assert [layer.shape[1] for layer in pooled] == channels
    assert len(set(model.parts.activations)) == len(channels)
    assert maps.shape[1] == channels[-1]


def test_a_random_network_keeps_the_signal_alive() -> None:
    with torch.no_grad():
        maps = build("alexnet-imagenet").feature_maps(torch.rand(2, 3, 96, 96))
    assert 0.05 < float(maps.std()) < 20


def test_width_means_nothing() -> None:
    with pytest.raises(ClearfiltersError, match=r"model\.width: 8, but `resnet18`"):
        build_classifier("resnet18", num_classes=3, width=8, mean=[0.0] * 3, std=[1.0] * 3)


def refused(content: Any, folder: Path, name: str = "resnet18", file: str = "net.pth") -> str:
    """The message of an import that fails, and leaves the network as it was."""
    if isinstance(content, bytes):
        (folder / file).write_bytes(content)
    elif content is not None:
        torch.save(content, folder / file)
    model = build(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ClearfiltersError) as caught:
        load_pretrained(model, name, file, folder)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    message = str(caught.value)
    assert file in message and len(message.splitlines()) == 1
    return message


def test_weights_of_another_network(tmp_path: Path, resnet18_state: Tensors) -> None:
    state = dict(resnet18_state)
    short = {key: value for key, value in state.items() if key != "layer3.0.downsample.0.weight"}
    assert "needs a tensor `layer3.0.downsample.0.weight`" in refused(short, tmp_path)
    other = {**state, "layer1.0.conv1.weight": torch.zeros(64, 64, 1, 1)}
    message = refused(other, tmp_path)
    assert "`layer1.0.conv1.weight` of shape (64, 64, 3, 3)" in message
    assert "(64, 64, 1, 1)" in message
    # A deeper network has all that is wanted, and more.
    deeper = {**state, "layer3.2.conv1.weight": torch.zeros(256, 256, 3, 3)}
    assert "no layer for the tensor `layer3.2.conv1.weight`" in refused(deeper, tmp_path)
    broken = {**state, "bn1.bias": torch.full((64,), torch.nan)}
    assert "`bn1.bias` has values that are not finite" in refused(broken, tmp_path)


def test_files_that_are_no_weights(tmp_path: Path, resnet18_state: Tensors) -> None:
    assert "no such file" in refused(None, tmp_path)
    assert "cannot be read" in refused(b"<html>", tmp_path)
    assert "cannot be read" in refused(b"<html>", tmp_path, file="net.safetensors")
    # PyTorch's errors about these have no text.
    for content in (b"", b"\x80\x02"):
        assert "cannot be read as weights (EOFError)" in refused(content, tmp_path)
    assert "not tensors by name" in refused({"state_dict": resnet18_state}, tmp_path)
    assert "cannot be read" in refused(nn.Conv2d(3, 3, 1), tmp_path)  # would run code
    torch.save(resnet18_state, tmp_path / "net.pth")
    assert "cannot be read" in refused((tmp_path / "net.pth").read_bytes()[:-1000], tmp_path)


def test_old_files_lack_the_counters_of_batchnorm(tmp_path: Path, resnet18_state: Tensors) -> None:
    old = {k: v for k, v in resnet18_state.items() if not k.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "old.pth")
    load_pretrained(build("resnet18"), "resnet18", "old.pth", tmp_path)


def test_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resnet18_state: Tensors
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def fetch(url: str, **options: Any) -> Tensors:
        asked.append((url, options))
        return resnet18_state

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fetch)
    model = build("resnet18")
    told = load_pretrained(model, "resnet18", "torchvision", tmp_path)
    assert told == "ResNet18_Weights.IMAGENET1K_V1"
    assert asked[0][0].endswith("/resnet18-f37072fd.pth")
    assert asked[0][1]["check_hash"] is True and asked[0][1]["weights_only"] is True
    assert torch.equal(model.backbone.blocks[0].conv1.weight, resnet18_state["conv1.weight"])  # type: ignore[union-attr, index]

    def offline(url: str, **_: Any) -> Tensors:
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(ClearfiltersError, match=r"resnet18-f37072fd\.pth: cannot be fetched"):
        load_pretrained(model, "resnet18", "torchvision", tmp_path)


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("vgg-m", "torchvision", "torchvision has none for `vgg-m`"),
        ("resnet18", "package", "no package has weights of `resnet18`"),
        ("vgg-s", "vgg.pth", r"read from MatConvNet's imagenet-vgg-s\.mat only"),
        ("resnet20", "resnet20.pth", "`resnet20` has no published weights"),
    ],
)
def test_sources_that_do_not_exist(tmp_path: Path, name: str, weights: str, message: str) -> None:
    with pytest.raises(ClearfiltersError, match=message):
        load_pretrained(build(name), name, weights, tmp_path)
