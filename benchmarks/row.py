"""A line of the table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One benchmark's outcome.

    Attributes:
        name: what was measured.
        ours: our figure with its unit.
        baseline: the baseline's figure with its unit and name.
        ratio: the number that the requirement is about.
        required: the requirement in words.
        met: whether it holds.
        notes: what a reader must know to trust the figures.
    """

    name: str
    ours: str
    baseline: str
    ratio: str
    required: str
    met: bool
    notes: str
