"""params.yaml as a whole: validated, and its experiments checked against each other."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from pydantic import ValidationError

from clearfilters.errors import ClearfiltersError
from clearfilters.params.jobs import TRADEOFF, data_params, jobs
from clearfilters.params.reading import explain
from clearfilters.params.run import Params
from clearfilters.params.slices import detection_tables


def load_params(content: Mapping[str, Any]) -> Params:
    """Validate the parameters and check that the experiments can be resolved.

    Args:
        content: the parsed YAML (params.yaml with any preset merged over it).

    Raises:
        ClearfiltersError: naming each unknown key, wrong type or impossible value.
    """
    try:
        params = Params.model_validate(dict(content))
        for name in params.run.datasets:
            data_params(params, name)
        check_names(params)
        check_labels(params)
        check_localized(params)
        check_pictured(params)
        check_galleries(params)
        check_mis_floors(params)
        check_attacks(params)
    except ValidationError as error:
        raise explain(error, "params.yaml", content) from None
    return params


def check_names(params: Params) -> None:
    """Refuse an experiment with the name of the trade-off's folder, whose files would mix with it.

    Raises:
        ClearfiltersError: naming it.
    """
    if TRADEOFF in params.run.experiments:
        raise ClearfiltersError(
            f"params.yaml: run.experiments: `{TRADEOFF}` is the folder of the trade-off's grid; "
            "give the experiment another name"
        )


def check_labels(params: Params) -> None:
    """Refuse two experiments of a run with one label: their rows of a table would be one.

    Raises:
        ClearfiltersError: naming the label and the experiments.
    """
    experiments: dict[str, str] = {}
    for job in jobs(params):
        other = experiments.setdefault(job.label, job.experiment)
        if other != job.experiment:
            raise ClearfiltersError(
                f"params.yaml: experiments.{job.experiment}.label: `{job.label}` is the label of "
                f"`{other}`, too; give each its own"
            )


def check_localized(params: Params) -> None:
    """Refuse localization by models that the run does not train or whose data have no masks.

    Raises:
        ClearfiltersError: naming the experiment.
    """
    found = {job.experiment: job for job in jobs(params)}
    for name in params.run.localized:
        if name not in found:
            raise ClearfiltersError(
                f"params.yaml: run.localized: the run trains no `{name}`; add it to run.experiments"
            )
        if "masks" not in data_params(params, found[name].dataset).annotations:
            raise ClearfiltersError(
                f"params.yaml: run.localized: the data of `{name}`, `{found[name].dataset}`, have "
                "no object masks; name experiments on `voc-parts` or `animals`"
            )


def check_pictured(params: Params) -> None:
    """Refuse pictures of models that no run could train, or that have no top of their own.

    Raises:
        ClearfiltersError: naming the experiment.
    """
    for name in params.run.pictured:
        if name not in params.experiments:
            raise ClearfiltersError(
                f"params.yaml: run.pictured: no experiment `{name}`; defined: "
                f"{', '.join(sorted(params.experiments))}"
            )
        experiment = params.experiments[name]
        if experiment.performer is None and (
            experiment.model is None or experiment.model.top is None
        ):
            raise ClearfiltersError(
                f"params.yaml: run.pictured: `{name}` has no model.top; name experiments that have"
            )


def check_galleries(params: Params) -> None:
    """Refuse a gallery of what no run could train; what this run does not train has none.

    Raises:
        ClearfiltersError: naming the experiment.
    """
    for name in params.run.galleries:
        if name not in params.experiments:
            raise ClearfiltersError(
                f"params.yaml: run.galleries: no experiment `{name}`; defined: "
                f"{', '.join(sorted(params.experiments))}"
            )


def check_mis_floors(params: Params) -> None:
    """Refuse a floor of the MIS of models that no run could train.

    Raises:
        ClearfiltersError: naming the experiment.
    """
    for name in params.run.mis_floors or ():
        if name not in params.experiments:
            raise ClearfiltersError(
                f"params.yaml: run.mis_floors: no experiment `{name}`; defined: "
                f"{', '.join(sorted(params.experiments))}"
            )


def check_attacks(params: Params) -> None:
    """Refuse attacks on models that the run does not train, and detectors without samples.

    Raises:
        ClearfiltersError: naming the key and what it lacks.
    """
    attacks = params.attacks
    trained = {(job.experiment, job.seed) for job in jobs(params)}
    for experiment, seed in product(attacks.experiments, attacks.seeds):
        if (experiment, seed) not in trained:
            raise ClearfiltersError(
                f"params.yaml: attacks: the run trains no `{experiment}` with seed {seed}; correct "
                "attacks.experiments or attacks.seeds, or add it to run.experiments"
            )
    for table, detectors in attacks.detection.tables.items():
        key = f"params.yaml: attacks.detection.tables.{table}"
        for name in detectors.attacks:
            if name not in attacks.white_box:
                raise ClearfiltersError(
                    f"{key}: no attack `{name}`; defined: {', '.join(attacks.white_box)}"
                )
            # A costly attack may have a pool that is too small for the larger sizes.
            pool, size = attacks.white_box[name].train_per_class, min(detectors.sizes)
            if size > pool:
                raise ClearfiltersError(
                    f"{key}: the smallest size is {size}, but `{name}` attacks {pool} training "
                    f"images per class; lower it, or raise attacks.white_box.{name}.train_per_class"
                )
            if attacks.detection.shared_size > pool:
                raise ClearfiltersError(
                    "params.yaml: attacks.detection.shared_size is "
                    f"{attacks.detection.shared_size}, but `{name}` attacks {pool} training images "
                    f"per class; lower it, or raise attacks.white_box.{name}.train_per_class"
                )
        for name in set(detectors.experiments or ()) - set(attacks.experiments):
            raise ClearfiltersError(
                f"{key}.experiments: `{name}` is not attacked; add it to attacks.experiments"
            )
    for name in attacks.experiments:
        if not detection_tables(params, name):
            raise ClearfiltersError(
                f"params.yaml: attacks.experiments: `{name}` is in no table of "
                "attacks.detection.tables; add it to one's experiments"
            )
