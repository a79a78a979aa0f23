"""Every figure by its id. To add one, write its function and add an entry to FIGURES."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearfilters.errors import ClearfiltersError
from clearfilters.reporting.drawing import Drawing, save
from clearfilters.reporting.figures import attacks, gates, localization
from clearfilters.reporting.records import Index, Records, load


@dataclass(frozen=True)
class FigureSpec:
    """How a figure is drawn and what it needs.

    Attributes:
        title: heading on the page.
        draw: makes it.
        needs: (role, analysis) pairs without any of which there is nothing to show; all of one
            setting, since only there can they be compared.
        also: further analyses that it reads.
    """

    title: str
    draw: Callable[[Records], Drawing]
    needs: tuple[tuple[str, str], ...]
    also: tuple[str, ...] = ()

    @property
    def analyses(self) -> tuple[str, ...]:
        """Every analysis whose measurements the figure reads."""
        return tuple(dict.fromkeys([*(analysis for _, analysis in self.needs), *self.also]))


# Drawn from the run's parameters by clearfilters.reporting.contact_sheet, not from measurements.
CONTACT_SHEET = "animals_contact_sheet"
FIGURES = {
    "lsg_figure4": FigureSpec(
        "LSG figure 4: gates with and without sparsity",
        gates.lsg_figure4,
        (("lsg", "phi"),),
        ("classification",),
    ),
    "lsg_figure5": FigureSpec(
        "LSG figure 5: confusion after masking a class's filters",
        gates.lsg_figure5,
        (("std", "masking"), ("lsg", "masking")),
        ("classification",),
    ),
    "lsg_figure6": FigureSpec(
        "LSG figure 6: similarity of features and gate rows",
        gates.lsg_figure6,
        (("lsg", "similarity"),),
        ("classification",),
    ),
    "lsg_figure7": FigureSpec(
        "LSG figure 7: correlation between filters",
        gates.lsg_figure7,
        (("std", "correlation"), ("fixed", "correlation"), ("std", "phi"), ("fixed", "phi")),
    ),
    "lsg_figure8": FigureSpec(
        "LSG figure 8: class activation maps",
        localization.lsg_figure8,
        (("std", "localization"), ("lsg", "localization")),
    ),
    "lsg_figure9": FigureSpec(
        "LSG figure 9: the fixed gate",
        gates.lsg_figure9,
        (("fixed", "phi"),),
        ("classification",),
    ),
    "lsg_figure10": FigureSpec(
        "LSG figure 10: k-means centres of the features",
        gates.lsg_figure10,
        (("std", "clustering"), ("fixed", "clustering"), ("fixed", "phi")),
        ("classification",),
    ),
    "lsg_tradeoff": FigureSpec(
        "Trade-off of density, accuracy, leakage and Φ",
        gates.lsg_tradeoff,
        (("tradeoff", "classification"), ("tradeoff", "phi"), ("tradeoff", "leakage")),
    ),
    "attack_examples": FigureSpec(
        "Adversarial samples",
        attacks.attack_examples,
        (("std", "detection"),),
    ),
    "detection_importance": FigureSpec(
        "Which layers give adversarial samples away",
        attacks.detection_importance,
        (("std", "detection"),),
    ),
    "detection_cross": FigureSpec(
        "Detectors on attacks that they were not trained on",
        attacks.detection_cross,
        (("std", "detection"),),
    ),
}


def figure_spec(figure_id: str) -> FigureSpec:
    """The entry of a figure.

    Raises:
        ClearfiltersError: if there is none of this id.
    """
    if figure_id not in FIGURES:
        raise ClearfiltersError(f"no figure `{figure_id}`; there are: {', '.join(FIGURES)}")
    return FIGURES[figure_id]


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


def write_figure(figure_id: str, index: Index, out: Path) -> bool:
    """Draw a figure as PNG.

    Returns:
        False, and nothing is written, if the experiments it needs were not run.

    Raises:
        ClearfiltersError: for an unknown id, or a measurement that is missing, malformed or made
            with other parameters.
    """
    spec = figure_spec(figure_id)
    records = load(index, spec.analyses)
    if not_run(figure_id, records.measured()):
        return False
    save(spec.draw(records), out)
    return True
