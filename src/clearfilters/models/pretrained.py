"""Pretrained weights: from torchvision, an optional package or a local file, into a network."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from clearfilters.artifacts import file_sha256
from clearfilters.errors import ClearfiltersError
from clearfilters.models import efficientnet_lite
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.classifier import Classifier, block_network
from clearfilters.models.torchvision_networks import TORCHVISION_WEIGHTS, torchvision_tensors
from clearfilters.models.vgg_ms import FILES

# Of ImageNet's training images, as torchvision's weights take them.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# The published linear layers, which a new head replaces.
HEADS = ("fc.", "classifier.", "_fc.")
# BatchNorm's counter of batches, which older files lack and nothing here reads.
COUNTER = "num_batches_tracked"


def load_pretrained(model: Classifier, name: str, weights: str, raw: Path) -> str:
    """Put published weights into a network, and the normalisation that they were trained with.

    The head keeps its random values.

    Args:
        model: a freshly built network.
        name: its name in the registry.
        weights: `torchvision` (downloaded), `package` (EfficientNet-Lite0's), or a file relative to
            `raw`: a state dictionary (.pth or .safetensors) with torchvision's names (for
            EfficientNet-Lite0 those of the package), or MatConvNet's .mat: for VGG-M, VGG-S and
            Caffe's AlexNet only this, for VGG-16 too.
        raw: the folder of the raw data.

    Returns:
        What was loaded, in words.

    Raises:
        ClearfiltersError: if the network cannot be fine-tuned, the weights cannot be had or read,
            or they are another network's; it names the file and the first tensor that differs.
    """
    network = block_network(model, name)
    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD
    if name == "efficientnet-lite0":
        mean, std = efficientnet_lite.MEAN, efficientnet_lite.STD
    if weights == "torchvision":
        source = TORCHVISION_WEIGHTS.get(name, weights)
        tensors = torchvision_tensors(name)
    else:
        path = _packaged(name) if weights == "package" else raw / weights
        if name in FILES and (path.suffix == ".mat" or name not in TORCHVISION_WEIGHTS):
            tensors, average = _matconvnet(path, name, network)
            mean, std = [value / 255 for value in average], [1 / 255] * 3
        else:
            tensors = read_tensors(path)
        source = f"{path.name}, sha256 {file_sha256(path)}"
    found = matching(network, tensors, f"{weights}: `{name}`")
    network.blocks.load_state_dict({**network.blocks.state_dict(), **found})
    for buffer, values in ((model.mean, mean), (model.std, std)):
        buffer.copy_(torch.tensor(values).view_as(buffer))
    return source


def _packaged(name: str) -> Path:
    if name != "efficientnet-lite0":
        raise ClearfiltersError(
            f"finetune.weights: no package has weights of `{name}`, only of efficientnet-lite0; "
            "say torchvision or name a file"
        )
    return efficientnet_lite.packaged_weights()


def _matconvnet(
    path: Path, name: str, network: BlockNetwork
) -> tuple[dict[str, Tensor], list[float]]:
    if path.suffix != ".mat":
        raise ClearfiltersError(
            f"{path}: the weights of `{name}` are read from MatConvNet's {FILES[name]} only"
        )
    from clearfilters.models.matconvnet import read_matconvnet  # HDF5 is slow to import

    tensors, average = read_matconvnet(path, name)
    # VGG-16 has the names of torchvision, in the same order.
    names = network.published_names.values()
    return dict(zip(names, tensors.values(), strict=True)), average


def read_tensors(path: Path) -> dict[str, Tensor]:
    """A state dictionary from a file: safetensors, or PyTorch's format without foreign objects.

    Raises:
        ClearfiltersError: if the file is missing, damaged, or holds anything but tensors.
    """
    if not path.is_file():
        raise ClearfiltersError(
            f"{path}: no such file; put the weights there or correct finetune.weights"
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged file may raise anything
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ClearfiltersError(
            f"{path}: cannot be read as weights ({first}); expected a state dictionary, .pth or "
            ".safetensors; fetch it again"
        ) from None
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise ClearfiltersError(
            f"{path}: holds a {type(content).__name__}, not tensors by name alone; save the "
            "network's state_dict() itself"
        )
    return content


def matching(network: BlockNetwork, tensors: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """A published network's tensors under the names of `network.blocks.state_dict()`.

    Args:
        network: where they go.
        tensors: by published name; those of the published head, and of blocks that were replaced,
            are ignored.
        source: the file and the network, for messages.

    Raises:
        ClearfiltersError: naming the first tensor that is missing, too many, of another shape or
            not finite.
    """
    names = network.published_names
    wanted = network.blocks.state_dict()
    found: dict[str, Tensor] = {}
    for ours, theirs in names.items():
        if theirs not in tensors and ours.endswith(COUNTER):
            found[ours] = wanted[ours]
            continue
        if theirs not in tensors:
            raise ClearfiltersError(
                f"{source} needs a tensor `{theirs}`, which these weights lack; use weights of "
                "this network"
            )
        tensor = tensors[theirs]
        if tensor.shape != wanted[ours].shape:
            raise ClearfiltersError(
                f"{source} needs `{theirs}` of shape {tuple(wanted[ours].shape)}; these weights "
                f"have {tuple(tensor.shape)}; use weights of this network"
            )
        if not torch.isfinite(tensor).all():
            raise ClearfiltersError(
                f"{source}: `{theirs}` has values that are not finite; fetch the weights again"
            )
        found[ours] = tensor
    known = {*names.values(), *network.left_out}
    for theirs in tensors:
        if theirs not in known and not theirs.startswith(HEADS):
            raise ClearfiltersError(
                f"{source} has no layer for the tensor `{theirs}` of these weights; use weights "
                "of this network"
            )
    return found
