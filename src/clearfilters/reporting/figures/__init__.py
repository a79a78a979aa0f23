"""The figures of the registry."""

from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

from clearfilters.errors import ClearfiltersError
from clearfilters.registry import FIGURES, load
from clearfilters.reporting.drawing import Drawing, FigureSpec, save
from clearfilters.reporting.records import Index
from clearfilters.reporting.records import load as load_records

# Drawn from the run's parameters by clearfilters.reporting.contact_sheet, not from measurements.
CONTACT_SHEET = "animals_contact_sheet"


def figure_spec(figure_id: str) -> FigureSpec:
    """The entry of a figure.

    Raises:
        ClearfiltersError: if there is none of this id.
    """
    if figure_id not in FIGURES:
        raise ClearfiltersError(f"no figure `{figure_id}`; there are: {', '.join(FIGURES)}")
    found: FigureSpec = load(FIGURES[figure_id])
    return found


def not_run(figure_id: str, measured: Iterable[Mapping[str, Any]]) -> list[str]:
    """What a figure needs and the run lacks, as `analysis of role`; empty if it can be drawn.

    Args:
        figure_id: a key of FIGURES.
        measured: a `role`, an `analysis` and the `setting` (`Experiment.setting`, or whatever else
            tells data and networks apart) per measurement.
    """
    settings: dict[Hashable, set[tuple[str, str]]] = {None: set()}
    for entry in measured:
        found = settings.setdefault(entry["setting"], set())
        found.add((entry["role"], entry["analysis"]))
    needs = figure_spec(figure_id).needs
    # Of the setting that comes nearest.
    lacking = min(([n for n in needs if n not in found] for found in settings.values()), key=len)
    elsewhere = set().union(*settings.values())
    return [
        f"{analysis} of {role}"
        + (" on the same data and network" if (role, analysis) in elsewhere else "")
        for role, analysis in lacking
    ]


def draw_figure(figure_id: str, index: Index) -> Drawing | None:
    """Draw a figure; None if the experiments it needs were not run.

    Raises:
        ClearfiltersError: for an unknown id, or a measurement that is missing, malformed or made
            with other parameters.
    """
    spec = figure_spec(figure_id)
    records = load_records(index, spec.analyses)
    if not_run(figure_id, records.measured()):
        return None
    return spec(records)


def write_figure(figure_id: str, index: Index, out: Path) -> bool:
    """Draw a figure as PNG, with its numbers as CSV beside it. Raises as `draw_figure` does.

    Returns:
        False, and nothing is written, if the experiments it needs were not run.
    """
    drawing = draw_figure(figure_id, index)
    if drawing is not None:
        save(drawing, out)
    return drawing is not None
