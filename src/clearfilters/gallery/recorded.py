"""What measurements have recorded of the filters that a gallery shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.artifacts import read_measurement

# A number, and the class or the landmark that it is for.
Named = tuple[float, str]


@dataclass(frozen=True)
class Recorded:
    """Of each of the K filters of the layer nearest to the head; None for what is not recorded.

    Attributes:
        gate: G (C, K), the trained gate, or else the one that Phi fits.
        is_fitted: whether it is the latter.
        information: mutual information in nats, and the class that it is with.
        r2: the largest R² of position against a landmark, and which landmark; None for a filter
            without.
        parts: those that an explainer's filters are of.
    """

    gate: npt.NDArray[np.float64] | None = None
    is_fitted: bool = False
    information: list[Named] | None = None
    r2: list[Named | None] | None = None
    parts: list[tuple[str, ...]] | None = None

    @property
    def grouped_by(self) -> str | None:
        """What `groups` are, in words."""
        if self.gate is not None:
            return "classes by the fitted gate" if self.is_fitted else "classes by the gate"
        return None if self.parts is None else "parts"

    def groups(self, classes: list[str], threshold: float) -> list[tuple[str, ...]] | None:
        """Of each filter the classes c with G_ck >= threshold, or else its parts."""
        if self.gate is None:
            return self.parts
        return [
            tuple(name for name, value in zip(classes, column, strict=True) if value >= threshold)
            for column in self.gate.T
        ]


def read_recorded(
    metrics: Path, experiment: str, seed: int, expected: Mapping[str, str], classes: list[str]
) -> Recorded:
    """What is recorded of a network's filters.

    Args:
        metrics: folder of the run's measurements.
        experiment: its name.
        seed: of the training.
        expected: the measurements to read, and the hash of what must have shaped each.
        classes: names.

    Raises:
        ClearfiltersError: if a measurement is missing, damaged or of other parameters.
    """
    values = {
        name: read_measurement(metrics / name / experiment / f"seed{seed}.json", hash_).values
        for name, hash_ in expected.items()
    }
    found: dict[str, Any] = {}
    if "phi" in values:
        trained = values["phi"]["trained_gate"]
        found["is_fitted"] = trained is None
        found["gate"] = np.array(values["phi"]["fitted_gate"] if trained is None else trained)
    if "mis" in values:
        best = zip(values["mis"]["best_information"], values["mis"]["best_class"], strict=True)
        found["information"] = [(float(value), classes[c]) for value, c in best]
    if "part_location" in values:
        found["r2"] = _best_r2(values["part_location"]["categories"])
    if "part_contributions" in values:
        found["parts"] = _parts(values["part_contributions"]["categories"])
    return Recorded(**found)


def _best_r2(categories: Mapping[str, Any]) -> list[Named | None] | None:
    """Of each filter the landmark that its place follows most, of any; None without landmarks."""
    rows = {
        _of(category, landmark, categories): row
        for category, own in categories.items()
        for landmark, row in own["trained"]["r2_filters"].items()
    }
    if not rows:
        return None
    return [
        max(
            ((value, name) for value, name in zip(column, rows, strict=True) if value is not None),
            default=None,
        )
        for column in zip(*rows.values(), strict=True)
    ]


def _parts(categories: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Of each filter the parts that it is of, in any category."""
    rows = [
        [part and _of(category, part, categories) for part in own["part_of_filter"]]
        for category, own in categories.items()
    ]
    return [tuple(filter(None, column)) for column in zip(*rows, strict=True)]


def _of(category: str, part: str, categories: Mapping[str, Any]) -> str:
    """A part's name, with the category's where there are several."""
    return part if len(categories) == 1 else f"{part} of {category}"
