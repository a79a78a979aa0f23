"""Everything that has a name in params.yaml or a result, and where it is found.

A line here names an object as `module:object`, and only the one asked for is imported. No step
depends on this file: a new line makes nothing stale.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


def load(reference: str) -> Any:
    """The object that `module:object` names."""
    module, name = reference.split(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True)
class DatasetEntry:
    """A format of raw data: the schema of its parameters, and its reader.

    The reader is read_raw(data, raw, out, download=...) -> RawData (data/store.py).
    """

    params: str
    reader: str


DATASETS = {
    "digits": DatasetEntry(
        "clearfilters.params.datasets:DigitsParams",
        "clearfilters.data.digits:read_raw",
    ),
    "cifar10": DatasetEntry(
        "clearfilters.params.datasets:Cifar10Params",
        "clearfilters.data.cifar:read_raw",
    ),
    "animals": DatasetEntry(
        "clearfilters.params.datasets:AnimalsParams",
        "clearfilters.data.embedded_animals:read_raw",
    ),
    "animals-cub": DatasetEntry(
        "clearfilters.params.datasets:AnimalsCubParams",
        "clearfilters.data.embedded_cub:read_raw",
    ),
    "animals-ilsvrc": DatasetEntry(
        "clearfilters.params.datasets:AnimalsIlsvrcParams",
        "clearfilters.data.embedded_ilsvrc:read_raw",
    ),
    "voc-parts": DatasetEntry(
        "clearfilters.params.datasets:VocPartsParams",
        "clearfilters.data.voc_parts:read_raw",
    ),
    "voc-icnn": DatasetEntry(
        "clearfilters.params.datasets:VocIcnnParams",
        "clearfilters.data.voc_icnn:read_raw",
    ),
    "imagefolder": DatasetEntry(
        "clearfilters.params.datasets:ImageFolderParams",
        "clearfilters.data.imagefolder:read_raw",
    ),
    "cub": DatasetEntry(
        "clearfilters.params.datasets:CubParams",
        "clearfilters.data.cub:read_raw",
    ),
    "ilsvrc-parts": DatasetEntry(
        "clearfilters.params.datasets:IlsvrcPartsParams",
        "clearfilters.data.ilsvrc_parts:read_raw",
    ),
}


@dataclass(frozen=True)
class MethodEntry:
    """A method: the schema of its parameters, and the subclass of `Method` that takes them."""

    params: str
    method: str


METHODS = {
    "std": MethodEntry(
        "clearfilters.params.methods:StdParams",
        "clearfilters.methods.std:Std",
    ),
    "gate": MethodEntry(
        "clearfilters.params.methods:GateParams",
        "clearfilters.methods.gate_training:GateTraining",
    ),
}

# For small images, trained from scratch; each builder takes num_classes and width.
CIFAR_NETWORKS = {
    "resnet8": "clearfilters.models.resnet_cifar:resnet8",
    "resnet20": "clearfilters.models.resnet_cifar:resnet20",
    "resnet32": "clearfilters.models.resnet_cifar:resnet32",
    "resnet44": "clearfilters.models.resnet_cifar:resnet44",
    "resnet56": "clearfilters.models.resnet_cifar:resnet56",
    "resnet110": "clearfilters.models.resnet_cifar:resnet110",
    "alexnet": "clearfilters.models.alexnet_cifar:CifarAlexNet",
}
# ImageNet's, which can be fine-tuned; each builder takes num_classes and gives a BlockNetwork.
BLOCK_NETWORKS = {
    "resnet18": "clearfilters.models.torchvision_networks:resnet18",
    "resnet50": "clearfilters.models.torchvision_networks:resnet50",
    "resnet101": "clearfilters.models.torchvision_networks:resnet101",
    "resnet152": "clearfilters.models.torchvision_networks:resnet152",
    "alexnet-imagenet": "clearfilters.models.torchvision_networks:alexnet",
    "vgg16": "clearfilters.models.torchvision_networks:vgg16",
    "vgg-m": "clearfilters.models.vgg_ms:vgg_m",
    "vgg-s": "clearfilters.models.vgg_ms:vgg_s",
    "efficientnet-lite0": "clearfilters.models.efficientnet_lite:EfficientNetLite0",
}
NETWORKS = {**CIFAR_NETWORKS, **BLOCK_NETWORKS}
# Of a fine-tuned network.
PRETRAINED = "clearfilters.models.pretrained:load_pretrained"
