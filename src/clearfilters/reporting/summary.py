"""The numbers of a run by which changes are compared, in one JSON: `dvc metrics show`, `diff`."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

from clearfilters.artifacts import write_json
from clearfilters.reporting.explainer_quantities import EXPLANATION, P
from clearfilters.reporting.part_quantities import (
    ACCURACY,
    INSTABILITY,
    LOCATION,
    R2,
    Quantity,
    sample_of,
)
from clearfilters.reporting.records import Experiment, Index, Records, Sample, load, summarize
from clearfilters.reporting.table import number

Values = dict[str, Any]
# The measurements that it reads.
ANALYSES = ("classification", "phi", "mis", "detection", LOCATION, EXPLANATION)


def write_summary(index: Index, out: Path) -> None:
    """Write experiment -> quantity -> mean over seeds, and `<quantity>_std` where it has a spread.

    Accuracies, densities and shares p are in [0, 1], Φ and MIS in nats; the instability is
    a share of the image's diagonal; `detection_auc` is the mean over attacks, each at the largest
    number of training images. A quantity that was not measured of an experiment is left out.

    Args:
        index: names the measurements (reporting.records).
        out: the JSON.

    Raises:
        ClearfiltersError: if a measurement is missing, malformed or of other parameters.
    """
    records = load(index, ANALYSES)
    write_json(out, {e.name: _summary(records, e) for e in records.experiments()})


def _summary(records: Records, e: Experiment) -> dict[str, float]:
    found = {}
    for name, sample in _samples(records, e).items():
        summary = summarize(sample)
        if summary is None:
            continue
        found[name] = float(number(summary.mean))
        if summary.std is not None:
            found[f"{name}_std"] = float(number(summary.std))
    return found


def _samples(records: Records, e: Experiment) -> dict[str, Sample]:
    def of(analysis: str, quantity: str | Callable[[Values], float | None]) -> Sample:
        return records.sample(e, analysis, quantity)

    def of_parts(quantity: Quantity) -> Sample:
        return sample_of(records, e, quantity)

    return {
        "accuracy": of("classification", "accuracy") or of_parts(ACCURACY),
        "density": of("phi", "trained_density"),
        "phi": of("phi", "phi_test"),
        "mis": of("mis", "mis"),
        "instability": of_parts(INSTABILITY),
        "r2_head": of_parts(R2),
        "p": of_parts(P),
        "detection_auc": of("detection", _auc),
    }


def _auc(values: Values) -> float | None:
    """Mean over attacks and repetitions, of the detectors with most training images."""
    detectors = values["detectors"].values()
    largest = [max(sizes, key=lambda found: found["size"]) for sizes in detectors]
    defined = [fmean(found["auc"]) for found in largest if found["auc"] is not None]
    return fmean(defined) if defined else None
