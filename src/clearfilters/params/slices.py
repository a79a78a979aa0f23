"""The parameters that shape each result.

A *slice* is the plain dictionary of everything that shaped one artifact: its own parameters and
those of the artifacts it was made from. Snakemake hands each rule its slice, so that a changed
number re-runs exactly what depends on it, and each measurement records its slice and its hash.
Where raw data lies, how many threads compute and which device is used are in no slice: they do not
shape results beyond rounding, and each measurement records the device it was made on.
"""

from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from clearfilters.artifacts import parameters_hash
from clearfilters.errors import ClearfiltersError
from clearfilters.params.attacks import SamplingParams, WhiteBoxParams
from clearfilters.params.datasets import DatasetParams, RenderingParams, StyleParams
from clearfilters.params.fields import Count, Seed, Strict
from clearfilters.params.gallery import GalleryOfExperiment
from clearfilters.params.jobs import TRADEOFF, Job, data_params, performers, seeds_of
from clearfilters.params.measurements import taken_of
from clearfilters.params.methods import MethodParams
from clearfilters.params.networks import FineTuneParams, ModelParams
from clearfilters.params.run import Params
from clearfilters.params.training import TrainingParams
from clearfilters.registry import LINEAR_HEAD, MEASUREMENTS, NEW_TOP, Group

# What a gallery reads: classes by the gate, mutual information, R² and parts.
SHOWN_IN_GALLERY = ("phi", "mis", "part_location", "part_contributions")


class TrainingSlice(Strict):
    """Everything that shapes a trained model; of an explainer, its performer's training, too."""

    data: DatasetParams
    model: ModelParams
    method: MethodParams
    training: TrainingParams
    seed: Seed
    finetune: FineTuneParams | None = None
    performer: "TrainingSlice | None" = None

    @model_serializer(mode="wrap")
    def _without_absent_keys(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Checkpoints are known by the hash of this, and many are older than these keys.
        content: dict[str, Any] = serialize(self)
        return {
            key: value
            for key, value in content.items()
            if key not in ("finetune", "performer") or value is not None
        }


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
    return _training_slice(params, job).model_dump(by_alias=True)


def _training_slice(params: Params, job: Job) -> TrainingSlice:
    performer = None if job.performer is None else _training_slice(params, job.performer)
    return TrainingSlice(
        data=data_params(params, job.dataset),
        model=job.model,
        method=job.method,
        training=job.training,
        seed=job.seed,
        finetune=job.finetune,
        performer=performer,
    )


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


def measurement_slice(params: Params, job: Job, analysis: str) -> dict[str, Any]:
    """What shapes a measurement: what it is made from, and its own parameters."""
    entry = MEASUREMENTS[analysis]
    if entry.kind == "features":
        return {**features_slice(params, job), **own_slice(params, job, analysis)}
    if entry.kind == "network":
        return {**training_slice(params, job), analysis: _block(params, analysis).model_dump()}
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


def own_slice(params: Params, job: Job, analysis: str) -> dict[str, Any]:
    """What shapes a measurement of features besides them.

    The analysis and, for those that read its gate, the fit of Phi.
    """
    own = _block(params, analysis).model_dump()
    if analysis == "correlation":
        own["filters_per_class"] = filters_per_class(params, job.model.name)
    if analysis == "mis_floor":
        own |= params.analysis.mis.model_dump()
    phi = {"phi": params.analysis.phi.model_dump()} if MEASUREMENTS[analysis].reads_gates else {}
    return {"analysis": {analysis: own, **phi}}


def _block(params: Params, analysis: str) -> Strict:
    """The parameters of a measurement, wherever they stand in params.yaml."""
    block: Any = params
    for key in (MEASUREMENTS[analysis].block or f"analysis.{analysis}").split("."):
        block = getattr(block, key)
    found: Strict = block
    return found


def gallery_analyses(params: Params, job: Job) -> list[str]:
    """The measurements of a job that its gallery shows."""
    return [name for name in analyses_of(params, job) if name in SHOWN_IN_GALLERY]


def gallery_slice(params: Params, job: Job) -> dict[str, Any]:
    """What shapes the gallery of a job's filters."""
    own = GalleryOfExperiment(
        **params.gallery.model_dump(),
        label=job.label,
        threshold=params.analysis.gate_statistics.threshold,
        mis=params.analysis.mis,
        recorded={
            name: parameters_hash(measurement_slice(params, job, name))
            for name in gallery_analyses(params, job)
        },
    )
    return {**training_slice(params, job), "gallery": own.model_dump()}


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


def group_of(params: Params, job: Job) -> Group:
    """Whether a job is a point of the trade-off's grid, localized, or neither."""
    if job.role == TRADEOFF:
        return "tradeoff"
    return "localized" if job.experiment in params.run.localized else "plain"


def analyses_of(params: Params, job: Job) -> tuple[str, ...]:
    """The measurements taken of a job."""
    groups = {group_of(params, job)}
    if is_attacked(params, job):
        groups.add("attacked")
    if job.experiment in params.run.pictured and job.seed == seeds_of(params, job.experiment)[0]:
        groups.add("pictured")
    offers = {*job.method.offers(), *data_params(params, job.dataset).annotations}
    # Of two classes with a logistic loss there is one output, and no weights of each class.
    if job.model.head is None and job.performer is None and job.training.loss != "logistic":
        offers.add(LINEAR_HEAD)
    explains = job.performer is not None or job.experiment in performers(params)
    if job.model.top is not None or explains:
        offers.add(NEW_TOP)
    floors = params.run.mis_floors
    return tuple(
        name
        for name in taken_of(groups, offers)
        if name != "mis_floor" or floors is None or job.role == TRADEOFF or job.experiment in floors
    )
