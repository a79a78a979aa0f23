"""Whether the results in git are what the measurements beside them give: `make tables-check`.

Each run of workflow/committed_runs.yaml is regenerated in a temporary folder, in one process:
tables, claims and the numbers of figures. `results/<run>/metrics.sha256`, in the form of
`sha256sum`, tells a measurement that was changed by hand from one that was measured: no table shows
every number.
"""

import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from clearfilters.artifacts import (
    atomic_path,
    file_sha256,
    parameters_hash,
    read_measurement,
)
from clearfilters.errors import ClearfiltersError
from clearfilters.params.reading import parse
from clearfilters.params.slices import ContactSheetSlice, contact_sheet_slice
from clearfilters.params.sources import merged, read_parameter_file
from clearfilters.registry import MEASUREMENTS
from clearfilters.reporting.claims import write_claims
from clearfilters.reporting.contact_sheet import write_contact_sheet
from clearfilters.reporting.differences import file_differences
from clearfilters.reporting.figures import CONTACT_SHEET, draw_figure, figure_spec
from clearfilters.reporting.numbers import write_numbers
from clearfilters.reporting.records import DATA, expand_index
from clearfilters.reporting.summary import ANALYSES as SUMMARIZED
from clearfilters.reporting.summary import write_summary
from clearfilters.reporting.tables import table_spec, write_table
from clearfilters.workflow import Plan

RUNS = Path("workflow/committed_runs.yaml")
PRESETS = Path("workflow/presets")
HASHES = "metrics.sha256"
RECORD = "python workflow/tables_check.py --record"


def committed_runs(root: Path) -> dict[str, list[str]]:
    """Run -> its presets, from `workflow/committed_runs.yaml` of a folder.

    Raises:
        ClearfiltersError: if it is missing, not YAML or no such mapping.
    """
    found = read_parameter_file(root / RUNS)
    try:
        return TypeAdapter(dict[str, list[str]]).validate_python(found)
    except ValidationError:
        raise ClearfiltersError(
            f"{RUNS}: a line `run: [preset, ...]` for each committed run expected, found "
            f"{str(found)[:80]}; correct it, or restore it from git"
        ) from None


def plan_of(root: Path, run: str) -> Plan:
    """The plan of a committed run.

    Raises:
        ClearfiltersError: if it is none, its presets make another, or a parameter is wrong.
    """
    runs = committed_runs(root)
    if run not in runs:
        raise ClearfiltersError(f"{RUNS}: no run `{run}`; there are: {', '.join(runs)}")
    files = [root / "params.yaml", *(root / PRESETS / preset for preset in runs[run])]
    plan = Plan(merged(files))
    if plan.name != run:
        raise ClearfiltersError(
            f"{RUNS}: the presets of `{run}` make the run `{plan.name}`; correct its presets"
        )
    return plan


def check_run(root: Path, run: str) -> list[str]:
    """What is wrong with a committed run, a line each, `file: what`; empty if nothing is.

    Raises:
        ClearfiltersError: as `plan_of` does.
    """
    plan = plan_of(root, run)
    folder = root / plan.results
    unusable = list(_unusable(plan, folder))
    changed = list(_changed(folder))
    found = [*unusable, *_superfluous(plan, folder), *changed]
    if unusable:
        # Nothing can be made of the others.
        return _named(root, found)
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary)
        try:
            regenerate(plan, folder, made)
        except (LookupError, TypeError, ValueError, AttributeError):
            # What was edited lacks what a table reads, and is named already.
            if not changed:
                raise
            return _named(root, found)
        found += _compared(folder, made, {root / file for file in plan.figure_files})
    return _named(root, found)


def record_metrics(root: Path, run: str) -> Path:
    """Write the SHA-256 of a run's measurements, which from now on must have it.

    Returns:
        The file.

    Raises:
        ClearfiltersError: as `plan_of` does, or if a measurement is missing, is not the run's, or
            was made with other parameters.
    """
    plan = plan_of(root, run)
    folder = root / plan.results
    wrong = _named(root, [*_unusable(plan, folder), *_superfluous(plan, folder)])
    if wrong:
        raise ClearfiltersError("\n".join(wrong))
    lines = [f"{hash_}  {path}\n" for path, hash_ in _hashes(folder).items()]
    with atomic_path(folder / HASHES) as temporary:
        temporary.write_text("".join(lines))
    return folder / HASHES


def regenerate(plan: Plan, folder: Path, out: Path) -> None:
    """Make a run's tables, claims and numbers of figures.

    Args:
        plan: of the run.
        folder: `results/<run>`, whose measurements are read.
        out: takes tables/, figures/, claims.csv and summary.json.

    Raises:
        ClearfiltersError: if a measurement is missing, malformed or made with other parameters.
    """

    def index(*analyses: str) -> list[dict[str, Any]]:
        return expand_index(folder, plan.index(*analyses))

    for id_ in plan.tables:
        file = out / "tables" / id_
        entries = index(*table_spec(id_).analyses)
        write_table(id_, entries, file.with_suffix(".csv"), file.with_suffix(".md"))
    write_summary(index(*SUMMARIZED), out / "summary.json")
    write_claims(index(*MEASUREMENTS), plan.params.claims.model_dump(), out / "claims.csv")
    for id_ in plan.figures:
        drawing = draw_figure(id_, index(*figure_spec(id_).analyses))
        if drawing is not None:
            write_numbers(drawing.lines, out / "figures" / f"{id_}.csv")
    sheet = contact_sheet_slice(plan.params)
    if sheet is not None:
        parameters = parse(ContactSheetSlice, sheet)
        write_contact_sheet(parameters, out / "figures" / f"{CONTACT_SHEET}.png")


Problem = tuple[Path, str]


def _named(root: Path, problems: Sequence[Problem]) -> list[str]:
    return [f"{file.relative_to(root)}: {what}" for file, what in problems]


def _metric_files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "metrics").rglob("*") if path.is_file())


def _hashes(folder: Path) -> dict[str, str]:
    """Measurement, below the run's folder -> SHA-256."""
    return {
        path.relative_to(folder).as_posix(): file_sha256(path) for path in _metric_files(folder)
    }


def _expected(plan: Plan, folder: Path) -> dict[Path, str]:
    """Measurement of a run -> the first digits of the hash of its parameters."""
    entries = expand_index(folder, plan.index(DATA, *MEASUREMENTS))
    return {Path(entry["path"]): str(entry["expected_hash"]) for entry in entries}


def _superfluous(plan: Plan, folder: Path) -> Iterator[Problem]:
    """Measurements that are none of the run's."""
    expected = _expected(plan, folder)
    for path in _metric_files(folder):
        if path not in expected:
            yield path, f"superfluous: the presets of `{plan.name}` ({RUNS}) do not measure it"


def _unusable(plan: Plan, folder: Path) -> Iterator[Problem]:
    """Measurements that are missing, malformed or not made with the run's parameters."""
    for path, hash_ in _expected(plan, folder).items():
        try:
            about = read_measurement(path, hash_).provenance
        except ClearfiltersError as error:
            yield path, str(error).removeprefix(f"{path}: ")
            continue
        own = parameters_hash(about.get("parameters", {}))
        if own != about["parameters_hash"]:
            recorded = about["parameters_hash"]
            yield (
                path,
                f"parameters_hash: {recorded[:12]}, but that of its parameters is {own[:12]}",
            )


def _changed(folder: Path) -> Iterator[Problem]:
    """Measurements that are not those whose hashes were recorded."""
    if not (folder / HASHES).is_file():
        yield folder / HASHES, f"missing; once the measurements are right: {RECORD}"
        return
    lines = (folder / HASHES).read_text().splitlines()
    recorded = {path: hash_ for hash_, _, path in (line.partition("  ") for line in lines)}
    found = _hashes(folder)
    for path in sorted(recorded.keys() | found.keys()):
        before, now = recorded.get(path, "none"), found.get(path, "none")
        if before != now:
            yield (
                folder / path,
                f"SHA-256: {HASHES} has {before[:12]}, found {now[:12]}; changed since it was "
                f"measured: restore it, or, once the measurements are right: {RECORD}",
            )


def _compared(folder: Path, made: Path, figures: Collection[Path]) -> Iterator[Problem]:
    """Each committed file against the one made; `figures` must be there, and no others."""
    expected = {path.relative_to(made) for path in made.rglob("*") if path.is_file()}
    expected |= {path.relative_to(folder) for path in figures}
    there = {
        path.relative_to(folder)
        for pattern in ("tables/*", "figures/*", "claims.csv", "summary.json")
        for path in folder.glob(pattern)
    }
    for path in sorted(expected | there):
        if path not in there:
            yield folder / path, "missing"
        elif path not in expected:
            yield folder / path, "superfluous: the run does not make it"
        elif (made / path).suffix != ".png" and (made / path).is_file():
            for difference in file_differences(folder / path, made / path):
                yield folder / path, difference
