"""report.html: everything about a run on one page that needs nothing else."""

import base64
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from clearfilters.artifacts import atomic_path
from clearfilters.reporting.claims.verdict import RULE, VERDICTS
from clearfilters.reporting.drawing import read_caption
from clearfilters.reporting.figures import CONTACT_SHEET, figure_spec, not_run
from clearfilters.reporting.notes import seeds_text
from clearfilters.reporting.records import Experiment, Index, Records, load
from clearfilters.reporting.table import Cell, Table, flag_notes
from clearfilters.reporting.tables import build_table


@dataclass(frozen=True)
class _Picture:
    id: str
    title: str
    caption: str
    data: str
    missing: str


def write_page(
    run_folder: Path,
    index: Index,
    table_ids: Sequence[str],
    figure_ids: Sequence[str],
    out: Path,
) -> None:
    """Write the page of a run.

    Args:
        run_folder: results/<run>, whose figures/<id>.png and claims.csv are shown; the contact
            sheet of the animals comes first, where a data set is rendered.
        index: see `clearfilters.reporting.records`; the tables are made from it.
        table_ids: in the order shown.
        figure_ids: in the order shown; one that was not drawn is listed as not run.
        out: the HTML file; images and styles are inside it.

    Raises:
        ClearfiltersError: for an unknown id, or a measurement that is missing, malformed or made
            with other parameters.
    """
    environment = Environment(
        loader=PackageLoader("clearfilters.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    records = load(index)
    claims = _claims(run_folder / "claims.csv")
    html = environment.get_template("page.html.j2").render(
        run=run_folder.name,
        experiments=[_experiment(records, e) for e in records.experiments()],
        facts=_facts(records),
        tables=[_table(build_table(table_id, index)) for table_id in table_ids],
        figures=[
            *_contact_sheet(run_folder, records),
            *(_picture(run_folder, records, figure_id) for figure_id in figure_ids),
        ],
        claims=_by_source(claims),
        verdicts=_count(claims),
        rule=RULE,
    )
    with atomic_path(out) as temporary:
        temporary.write_text(html, encoding="utf-8")


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


def _facts(records: Records) -> list[tuple[str, str]]:
    experiments = records.experiments()
    provenances = records.provenances()
    packages = {f"{name} {version}" for p in provenances for name, version in p["packages"].items()}
    data = {_experiment(records, e)["data"] for e in experiments}
    models = sum(len(e.seeds) for e in experiments)
    return [
        ("Data", "; ".join(sorted(data))),
        ("Models", f"{models} trained, {len(experiments)} experiments"),
        ("Measurements", str(len(provenances))),
        ("Trained on", "; ".join(sorted({t for e in experiments for t in _devices(records, e)}))),
        ("Measured on", "; ".join(sorted({str(p["device"]) for p in provenances}))),
        ("Versions", ", ".join(sorted(packages))),
    ]


def _devices(records: Records, e: Experiment) -> set[str]:
    return {str(training["device"]) for training in records.training(e)}


def _table(table: Table) -> dict[str, Any]:
    # What tells the rows apart comes first here: it stays in view when a phone scrolls the table.
    order = sorted(range(len(table.heads)), key=lambda i: table.heads[i] != "Training")
    return {
        "id": table.id,
        "title": table.title,
        "heads": [table.heads[i] for i in order],
        "columns": [(column.heading, column.unit) for column in table.columns],
        "rows": [
            {
                "heads": [row.heads[i] for i in order],
                "cells": [_cell(row.cells.get(c.key, Cell()), c.digits) for c in table.columns],
            }
            for row in table.rows
        ],
        "notes": [*table.notes, *flag_notes(table)],
    }


def _cell(cell: Cell, digits: int | None) -> dict[str, Any]:
    return {"ours": cell.ours(digits), "theirs": cell.theirs(digits), "flagged": cell.flagged}


def _picture(run_folder: Path, records: Records, figure_id: str) -> _Picture:
    title = figure_spec(figure_id).title
    missing = not_run(figure_id, records.measured())
    if missing:
        return _Picture(figure_id, title, "", "", f"lacks {', '.join(missing)}")
    return _drawn(run_folder, figure_id, title)


def _contact_sheet(run_folder: Path, records: Records) -> list[_Picture]:
    if not any("style" in d.provenance["parameters"] for d in records.data.values()):
        return []
    return [_drawn(run_folder, CONTACT_SHEET, "The embedded animals")]


def _drawn(run_folder: Path, figure_id: str, title: str) -> _Picture:
    path = run_folder / "figures" / f"{figure_id}.png"
    if not path.exists():
        return _Picture(figure_id, title, "", "", f"{path.name} was not drawn")
    data = base64.b64encode(path.read_bytes()).decode()
    return _Picture(figure_id, title, read_caption(path), data, "")


def _claims(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        claims = list(csv.DictReader(stream))
    for claim in claims:
        claim["left_numbers"] = _numbers(claim, "left")
        claim["right_numbers"] = _numbers(claim, "right")
    return claims


def _by_source(claims: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    groups: dict[str, list[dict[str, str]]] = {}
    for claim in claims:
        groups.setdefault(f"{claim['paper']}, {claim['source']}", []).append(claim)
    return groups


def _numbers(claim: dict[str, str], side: str) -> str:
    mean, std, seeds = (claim[f"{side}_{part}"] for part in ("mean", "std", "seeds"))
    if not mean:
        return ""
    text = f"{float(mean):.4g}" + (f" ± {float(std):.2g}" if std else "")
    return text + (f" ({seeds} seed{'s' if seeds != '1' else ''})" if seeds else "")


def _count(claims: list[dict[str, str]]) -> dict[str, int]:
    counts = dict.fromkeys(VERDICTS, 0)
    for claim in claims:
        counts[claim["verdict"]] += 1
    return counts
