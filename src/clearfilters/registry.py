"""Everything that has a name in params.yaml or a result, and where it is found.

A line here names an object as `module:object`, and only the one asked for is imported. No step
depends on this file: a new line makes nothing stale. docs/extending.md walks through each kind.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal


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
    "part-filters": MethodEntry(
        "clearfilters.params.methods:PartFilterParams",
        "clearfilters.methods.part_training:PartTraining",
    ),
    "explainer": MethodEntry(
        "clearfilters.params.methods:ExplainerParams",
        "clearfilters.methods.explainer_training:Explainer",
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
# A trunk for the rendered animals, likewise.
SMALL_TRUNKS = {"convnet": "clearfilters.models.convnet:convnet"}
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
    "caffe-alexnet": "clearfilters.models.vgg_ms:caffe_alexnet",
    "efficientnet-lite0": "clearfilters.models.efficientnet_lite:EfficientNetLite0",
}
NETWORKS = {**CIFAR_NETWORKS, **SMALL_TRUNKS, **BLOCK_NETWORKS}
# Of a network with another top.
TOP = "clearfilters.models.surgery:Surgery"
# Of a fine-tuned network.
PRETRAINED = "clearfilters.models.pretrained:load_pretrained"


# The kinds of jobs in which a measurement is taken: experiments, those of run.localized in their
# place, points of the trade-off's grid, and, besides, models that are attacked, and the first of
# each experiment of run.pictured.
Group = Literal["plain", "localized", "tradeoff", "attacked", "pictured"]
LINEAR_HEAD = "linear head"
# A trunk with another top (models/surgery.py), whose last convolution is measured.
NEW_TOP = "new top"
# A method with encoder and decoder above a performer (methods/explainer.py).
EXPLAINER = "explainer"


@dataclass(frozen=True)
class MeasurementEntry:
    """A measurement of a trained network.

    Attributes:
        params: the schema of its parameters.
        measure: what makes it, by kind: of `features`, measure(features, gates, **parameters) ->
            values (analysis/features.py), of a `network` and the store that it was trained on,
            measure(network, store, parameters) -> Measured (training/network_measurement.py). That
            of adversarial `samples` has a step of its own.
        kind: what it is made of.
        groups: the jobs in which it is taken.
        needs: what a model or its data must have, else it is left out: a linear head, a new top, a
            gate, or annotations (masks, parts, landmarks).
        reads_gates: whether it reads the trained gate, or the one that Phi fits.
        block: where its parameters stand in params.yaml; by default under `analysis`.
    """

    params: str
    measure: str
    kind: Literal["features", "network", "samples"] = "features"
    groups: tuple[Group, ...] = ("plain",)
    needs: tuple[str, ...] = (LINEAR_HEAD,)
    reads_gates: bool = False
    block: str | None = None


MEASUREMENTS = {
    "classification": MeasurementEntry(
        "clearfilters.params.measurements:ClassificationParams",
        "clearfilters.analysis.classification:measure",
        groups=("plain", "localized", "tradeoff"),
    ),
    "phi": MeasurementEntry(
        "clearfilters.params.measurements:PhiParams",
        "clearfilters.analysis.phi:measure",
        groups=("plain", "localized", "tradeoff"),
    ),
    "mis": MeasurementEntry(
        "clearfilters.params.measurements:MisParams",
        "clearfilters.analysis.mutual_information:measure",
        groups=("plain", "localized"),
    ),
    "mis_floor": MeasurementEntry(
        "clearfilters.params.measurements:MisFloorParams",
        "clearfilters.analysis.information_floor:measure",
        groups=("plain", "localized"),
    ),
    "gate_statistics": MeasurementEntry(
        "clearfilters.params.measurements:GateStatisticsParams",
        "clearfilters.analysis.gate_statistics:measure",
        reads_gates=True,
    ),
    "leakage": MeasurementEntry(
        "clearfilters.params.measurements:LeakageParams",
        "clearfilters.analysis.leakage:measure",
        groups=("plain", "localized", "tradeoff"),
        reads_gates=True,
    ),
    "correlation": MeasurementEntry(
        "clearfilters.params.measurements:CorrelationParams",
        "clearfilters.analysis.correlation:measure",
    ),
    "masking": MeasurementEntry(
        "clearfilters.params.measurements:MaskingParams",
        "clearfilters.analysis.masking:measure",
        reads_gates=True,
    ),
    "similarity": MeasurementEntry(
        "clearfilters.params.measurements:SimilarityParams",
        "clearfilters.analysis.similarity:measure",
        reads_gates=True,
    ),
    "clustering": MeasurementEntry(
        "clearfilters.params.measurements:ClusteringParams",
        "clearfilters.analysis.clustering:measure",
        reads_gates=True,
    ),
    "localization": MeasurementEntry(
        "clearfilters.params.measurements:LocalizationParams",
        "clearfilters.training.localization:measure_localization",
        kind="network",
        groups=("localized",),
        needs=(LINEAR_HEAD, "masks"),
        block="localization",
    ),
    "part_location": MeasurementEntry(
        "clearfilters.params.measurements:PartLocationParams",
        "clearfilters.training.part_location:measure_part_location",
        kind="network",
        needs=(NEW_TOP, "landmarks"),
    ),
    "part_interpretability": MeasurementEntry(
        "clearfilters.params.measurements:PartInterpretabilityParams",
        "clearfilters.training.part_interpretability:measure_part_interpretability",
        kind="network",
        needs=(NEW_TOP, "parts"),
    ),
    "part_pictures": MeasurementEntry(
        "clearfilters.params.measurements:PartPicturesParams",
        "clearfilters.training.part_pictures:measure_part_pictures",
        kind="network",
        groups=("pictured",),
        needs=(NEW_TOP, "landmarks"),
    ),
    "explanation": MeasurementEntry(
        "clearfilters.params.measurements:ExplanationParams",
        "clearfilters.training.explanation:measure_explanation",
        kind="network",
        needs=(EXPLAINER,),
    ),
    "part_contributions": MeasurementEntry(
        "clearfilters.params.measurements:PartContributionsParams",
        "clearfilters.training.part_contributions:measure_part_contributions",
        kind="network",
        needs=(EXPLAINER, "landmarks"),
    ),
    "explainer_pictures": MeasurementEntry(
        "clearfilters.params.measurements:ExplainerPicturesParams",
        "clearfilters.training.explainer_pictures:measure_explainer_pictures",
        kind="network",
        groups=("pictured",),
        needs=(EXPLAINER, "landmarks"),
    ),
    "detection": MeasurementEntry(
        "clearfilters.params.attacks:DetectionParams",
        "clearfilters.attacks.attacked_model:measure_detection",
        kind="samples",
        groups=("attacked",),
        needs=(),
        block="attacks.detection",
    ),
    "one_pixel": MeasurementEntry(
        "clearfilters.params.attacks:OnePixelParams",
        "clearfilters.attacks.black_box:measure_one_pixel",
        kind="network",
        groups=("attacked",),
        needs=(),
        block="attacks.one_pixel",
    ),
    "local_search": MeasurementEntry(
        "clearfilters.params.attacks:LocalSearchParams",
        "clearfilters.attacks.black_box:measure_local_search",
        kind="network",
        groups=("attacked",),
        needs=(),
        block="attacks.local_search",
    ),
}


@dataclass(frozen=True)
class AttackEntry:
    """A white-box attack: the schema of its parameters, and build(model, parameters).

    What it builds is called with images in [0, 1] and labels, as torchattacks' attacks are.
    """

    params: str
    build: str


ATTACKS = {
    "fgsm": AttackEntry(
        "clearfilters.params.attacks:FgsmParams", "clearfilters.attacks.white_box:fgsm"
    ),
    "pgd": AttackEntry(
        "clearfilters.params.attacks:PgdParams", "clearfilters.attacks.white_box:pgd"
    ),
    "cw": AttackEntry("clearfilters.params.attacks:CwParams", "clearfilters.attacks.white_box:cw"),
}

# Each declared by @reads (reporting/table.py) or @shows (reporting/drawing.py), with what it reads.
TABLES = {
    "data": "clearfilters.reporting.tables.data:data",
    "lsg_table1": "clearfilters.reporting.tables.classification:lsg_table1",
    "lsg_table2": "clearfilters.reporting.tables.filters:lsg_table2",
    "lsg_table3": "clearfilters.reporting.tables.localization:lsg_table3",
    "lsg_gate_statistics": "clearfilters.reporting.tables.filters:lsg_gate_statistics",
    "csg_mis": "clearfilters.reporting.tables.mis:csg_mis",
    "csg_localization": "clearfilters.reporting.tables.localization:csg_localization",
    "lsg_leakage": "clearfilters.reporting.tables.leakage:lsg_leakage",
    "lsg_tradeoff": "clearfilters.reporting.tables.tradeoff:lsg_tradeoff",
    "lsg_table4": "clearfilters.reporting.tables.detection:lsg_table4",
    "csg_detection": "clearfilters.reporting.tables.detection:csg_detection",
    "lsg_table5": "clearfilters.reporting.tables.black_box:lsg_table5",
    "icnn_table1": "clearfilters.reporting.tables.parts:icnn_table1",
    "icnn_table2": "clearfilters.reporting.tables.parts_multi:icnn_table2",
    "icnn_table3": "clearfilters.reporting.tables.parts:icnn_table3",
    "icnn_table4": "clearfilters.reporting.tables.parts:icnn_table4",
    "icnn_table5": "clearfilters.reporting.tables.parts:icnn_table5",
    "icnn_table6": "clearfilters.reporting.tables.parts_multi:icnn_table6",
    "icnn_table7": "clearfilters.reporting.tables.parts_multi:icnn_table7",
    "icnn_filters": "clearfilters.reporting.tables.part_filters:icnn_filters",
    "icnn_weight": "clearfilters.reporting.tables.part_filters:icnn_weight",
    "explainer_table2": "clearfilters.reporting.tables.explainers:explainer_table2",
    "explainer_table3": "clearfilters.reporting.tables.explainer_p:explainer_table3",
    "explainer_table4": "clearfilters.reporting.tables.explainers:explainer_table4",
    "explainer_table5": "clearfilters.reporting.tables.explainer_errors:explainer_table5",
    "explainer_table6": "clearfilters.reporting.tables.explainer_errors:explainer_table6",
    "explainer_table7": "clearfilters.reporting.tables.explainer_p:explainer_table7",
    "explainer_table8": "clearfilters.reporting.tables.explainers:explainer_table8",
    "explainer_table9": "clearfilters.reporting.tables.explainers:explainer_table9",
    "explainer_table10": "clearfilters.reporting.tables.explainer_errors:explainer_table10",
    "explainer_eta": "clearfilters.reporting.tables.explainer_settings:explainer_eta",
    "explainer_parts": "clearfilters.reporting.tables.explainer_settings:explainer_parts",
}

FIGURES = {
    "lsg_figure4": "clearfilters.reporting.figures.gates:lsg_figure4",
    "lsg_figure5": "clearfilters.reporting.figures.gates:lsg_figure5",
    "lsg_figure6": "clearfilters.reporting.figures.gates:lsg_figure6",
    "lsg_figure7": "clearfilters.reporting.figures.gates:lsg_figure7",
    "lsg_figure8": "clearfilters.reporting.figures.localization:lsg_figure8",
    "lsg_figure9": "clearfilters.reporting.figures.gates:lsg_figure9",
    "lsg_figure10": "clearfilters.reporting.figures.gates:lsg_figure10",
    "lsg_tradeoff": "clearfilters.reporting.figures.tradeoff:lsg_tradeoff",
    "attack_examples": "clearfilters.reporting.figures.attacks:attack_examples",
    "detection_importance": "clearfilters.reporting.figures.attacks:detection_importance",
    "detection_cross": "clearfilters.reporting.figures.attacks:detection_cross",
    "icnn_figure5": "clearfilters.reporting.figures.part_pictures:icnn_figure5",
    "icnn_figure6": "clearfilters.reporting.figures.part_pictures:icnn_figure6",
    "icnn_weight": "clearfilters.reporting.figures.parts:icnn_weight",
    "explainer_figure3": "clearfilters.reporting.figures.part_pictures:explainer_figure3",
    "explainer_figure4": "clearfilters.reporting.figures.explainers:explainer_figure4",
    "explainer_figure5": "clearfilters.reporting.figures.explainer_pictures:explainer_figure5",
    "explainer_eta": "clearfilters.reporting.figures.explainers:explainer_eta",
}
