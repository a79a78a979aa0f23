"""Where a page's numbers come from, and the commands that make them again."""

from collections.abc import Sequence

from clearfilters.registry import MEASUREMENTS
from clearfilters.reporting.notes import seeds_text
from clearfilters.reporting.records import DATA, Experiment, Records
from clearfilters.reporting.table import Table
from clearfilters.reporting.tables import table_spec

# Which experiments have the measurements of a group of jobs, as params.yaml names them.
GROUPS = {
    "localized": "run.localized",
    "attacked": "attacks.experiments",
    "pictured": "run.pictured",
}


def experiment_rows(records: Records) -> list[dict[str, str]]:
    """A line per experiment, by column."""
    return [_experiment(records, e) for e in records.experiments()]


def facts(records: Records) -> list[tuple[str, str]]:
    """Devices and versions, each with its name."""
    provenances = records.provenances()
    packages = {f"{name} {version}" for p in provenances for name, version in p["packages"].items()}
    experiments = records.experiments()
    trained = {str(t["device"]) for e in experiments for t in records.training(e)}
    return [
        ("Measurements", str(len(provenances))),
        ("Trained on", "; ".join(sorted(trained))),
        ("Measured on", "; ".join(sorted({str(p["device"]) for p in provenances}))),
        ("Versions", ", ".join(sorted(packages))),
    ]


def snakemake(target: str, presets: Sequence[str], *options: str) -> str:
    """The command that makes a target of this run, to be pasted as it stands."""
    overlay = ["--configfile", *presets] if presets else []
    return " ".join(["snakemake", target, "--cores all", *options, *overlay])


def again(file: str, rule: str, presets: Sequence[str]) -> str:
    """The command that makes one file of a report again, from the recorded measurements alone."""
    return snakemake(file, presets, "--force", f"--allowed-rules {rule}")


def filled_by(table_id: str) -> str:
    """Which experiments give a table numbers, and by which measurements, in a sentence."""
    measured: dict[str, list[str]] = {}
    for analysis in table_spec(table_id).analyses:
        if analysis != DATA:
            measured.setdefault(_measured_of(analysis), []).append(analysis)
    return "; ".join(f"{', '.join(names)} of {whose}" for whose, names in measured.items())


def has_numbers(table: Table) -> bool:
    """Whether a table has a number of ours."""
    return any(cell.mean is not None for row in table.rows for cell in row.cells.values())


def _measured_of(analysis: str) -> str:
    """The experiments that have a measurement."""
    entry = MEASUREMENTS[analysis]
    named = [GROUPS[group] for group in entry.groups if group in GROUPS]
    text = "experiments"
    if named and "plain" not in entry.groups:
        text += f" named in {' or '.join(named)}"
    return f"{text} with {' and '.join(entry.needs)}" if entry.needs else text


def _experiment(records: Records, e: Experiment) -> dict[str, str]:
    trained = sorted({f"{t['device']} ({t['precision']})" for t in records.training(e)})
    return {
        "label": e.label,
        "role": e.role,
        "network": e.network,
        "epochs": str(e.epochs),
        "seeds": seeds_text(e.seeds).removeprefix("seeds ").removeprefix("seed "),
        "device": "; ".join(trained),
        "data": e.dataset + (f" ({e.dataset_note})" if e.dataset_note else ""),
        "name": e.name,
    }
