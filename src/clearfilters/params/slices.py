"""The parameters that shape each result.

A *slice* is the plain dictionary of everything that shaped one artifact: its own parameters and
those of the artifacts it was made from. Snakemake hands each rule its slice, so that a changed
number re-runs exactly what depends on it, and each measurement records its slice and its hash.
Where raw data lies, how many threads compute and which device is used are in no slice: they do not
shape results beyond rounding, and each measurement records the device it was made on.
"""

from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from clearfilters.errors import ClearfiltersError
from clearfilters.params.attacks import SamplingParams, WhiteBoxParams
from clearfilters.params.datasets import DatasetParams, RenderingParams, StyleParams
from clearfilters.params.fields import Count, Seed, Strict
from clearfilters.params.jobs import Job, data_params
from clearfilters.params.measurements import (
    ATTACK_ANALYSES,
    BLACK_BOX_ANALYSES,
    FEATURE_ANALYSES,
    GATE_ANALYSES,
    OBJECT_ANALYSES,
    TRADEOFF_ANALYSES,
)
from clearfilters.params.methods import MethodParams
from clearfilters.params.networks import FineTuneParams, ModelParams
from clearfilters.params.run import Params
from clearfilters.params.training import TrainingParams


class TrainingSlice(Strict):
    """Everything that shapes a trained model."""

    data: DatasetParams
    model: ModelParams
    method: MethodParams
    training: TrainingParams
    seed: Seed
    finetune: FineTuneParams | None = None

    @model_serializer(mode="wrap")
    def _without_absent_finetune(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Checkpoints are known by the hash of this, and many are older than the key.
        content: dict[str, Any] = serialize(self)
        if self.finetune is None:
            del content["finetune"]
        return content


class ContactSheetSlice(Strict):
    """Everything that shapes the figure of the rendered animals."""

    seed: Seed
    style: StyleParams
    columns: Count


class AdversarialSlice(TrainingSlice):
    """Everything that shapes the adversarial samples of one attack on one model."""

    sampling: SamplingParams
    attack: WhiteBoxParams


def training_slice(params: Params, job: Job) -> dict[str, Any]:
    """What shapes a checkpoint: data, network, method, training and seed."""
    parsed = TrainingSlice(
        data=data_params(params, job.dataset),
        model=job.model,
        method=job.method,
        training=job.training,
        seed=job.seed,
        finetune=job.finetune,
    )
    return parsed.model_dump(by_alias=True)


def features_slice(params: Params, job: Job) -> dict[str, Any]:
    """What shapes the recorded features: the checkpoint and the forward pass."""
    return {**training_slice(params, job), "features": params.features.model_dump()}


def filters_per_class(params: Params, network: str) -> int:
    """The m of CIC for a network.

    Raises:
        ClearfiltersError: if params.yaml gives none.
    """
    given = params.analysis.correlation.filters_per_class
    if network not in given:
        raise ClearfiltersError(
            f"params.yaml: analysis.correlation.filters_per_class: no number for `{network}`; "
            f"add `{network}: m`, at most the filters of its last convolution"
        )
    return given[network]


def is_attacked(params: Params, job: Job) -> bool:
    """Whether a job's model is attacked."""
    return job.experiment in params.attacks.experiments and job.seed in params.attacks.seeds


def detection_tables(params: Params, experiment: str) -> dict[str, dict[str, Any]]:
    """The tables of detectors that an attacked experiment is in: table -> attacks and sizes."""
    return {
        table: detectors.model_dump(exclude={"experiments"})
        for table, detectors in params.attacks.detection.tables.items()
        if detectors.experiments is None or experiment in detectors.experiments
    }


def attacks_of(params: Params, experiment: str) -> list[str]:
    """The white-box attacks on an experiment's models: those that its tables read."""
    tables = detection_tables(params, experiment).values()
    used = {name for table in tables for name in table["attacks"]}
    return [name for name in params.attacks.white_box if name in used]


def adversarial_slice(params: Params, job: Job, attack: str) -> dict[str, Any]:
    """What shapes the adversarial samples of one attack: the checkpoint, the images, the attack."""
    return {
        **training_slice(params, job),
        "sampling": params.attacks.sampling.model_dump(),
        "attack": params.attacks.white_box[attack].model_dump(),
    }


def measurement_slice(params: Params, job: Job, analysis: str) -> dict[str, Any]:
    """What shapes a measurement: what it is made from, and its own parameters."""
    if analysis == "detection":
        return {
            **training_slice(params, job),
            "sampling": params.attacks.sampling.model_dump(),
            "white_box": {
                name: params.attacks.white_box[name].model_dump()
                for name in attacks_of(params, job.experiment)
            },
            "detection": {
                **params.attacks.detection.model_dump(),
                "tables": detection_tables(params, job.experiment),
            },
        }
    if analysis == "localization":
        own = params.localization.model_dump()
        return {**training_slice(params, job), analysis: own}
    if analysis in BLACK_BOX_ANALYSES:
        own = params.attacks.model_dump()[analysis]
        return {**training_slice(params, job), analysis: own}
    return _feature_measurement_slice(params, job, analysis)


def _feature_measurement_slice(params: Params, job: Job, analysis: str) -> dict[str, Any]:
    """Features, the analysis and, for those that read its gate, the fit of Phi."""
    chosen = {analysis: params.analysis.model_dump()[analysis]}
    if analysis == "correlation":
        chosen[analysis]["filters_per_class"] = filters_per_class(params, job.model.name)
    if analysis == "mis_floor":
        chosen[analysis] |= params.analysis.mis.model_dump()
    if analysis in GATE_ANALYSES:
        chosen["phi"] = params.analysis.phi.model_dump()
    return {**features_slice(params, job), "analysis": chosen}


def contact_sheet_slice(params: Params) -> dict[str, Any] | None:
    """What shapes the contact sheet of the run's rendered animals; None where it has none.

    It shows the first rendered data set's seed and style.
    """
    for name in params.run.datasets:
        data = data_params(params, name)
        if isinstance(data, RenderingParams):
            columns = params.contact_sheet.columns
            return ContactSheetSlice(seed=data.seed, style=data.style, columns=columns).model_dump()
    return None


def analyses_of(params: Params, job: Job) -> tuple[str, ...]:
    """The measurements taken of a job."""
    if job.role == "tradeoff":
        return TRADEOFF_ANALYSES
    own = OBJECT_ANALYSES if job.experiment in params.run.localized else FEATURE_ANALYSES
    floors = params.run.mis_floors
    if floors is not None and job.experiment not in floors:
        own = tuple(name for name in own if name != "mis_floor")
    return (*own, *ATTACK_ANALYSES) if is_attacked(params, job) else own
