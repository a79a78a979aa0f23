"""report.html: everything about a run on one page that needs nothing else."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clearfilters.artifacts import atomic_path
from clearfilters.reporting.claims.verdict import RULE
from clearfilters.reporting.page.headlines import HeadlineRow, headline_rows
from clearfilters.reporting.page.opening import picture, sentences, sources_of
from clearfilters.reporting.page.pictures import pictures
from clearfilters.reporting.page.provenance import (
    again,
    experiment_rows,
    facts,
    filled_by,
    has_numbers,
    snakemake,
)
from clearfilters.reporting.page.verdicts import Claim, by_paper, count, own_findings, read_claims
from clearfilters.reporting.records import Index, Records, load
from clearfilters.reporting.table import Cell, Table, flag_notes
from clearfilters.reporting.tables import build_table
from clearfilters.webpage import render

# The second is included in the first.
TEMPLATE, STYLE = "page.html.j2", "style.css.j2"
# A <meta> with what results/index.html says of a run, as JSON.
SUMMARY = "clearfilters-summary"


def write_page(
    run_folder: Path,
    index: Index,
    table_ids: Sequence[str],
    figure_ids: Sequence[str],
    out: Path,
    presets: Sequence[str] = (),
    galleries: Sequence[str] = (),
) -> None:
    """Write the page of a run.

    Args:
        run_folder: results/<run>, whose figures/<id>.png and claims.csv are shown; the contact
            sheet of the animals comes first, where a data set is rendered.
        index: see `clearfilters.reporting.records`; the tables are made from it.
        table_ids: in the order shown.
        figure_ids: in the order shown; one that was not drawn is listed as not run.
        out: the HTML file; images and styles are inside it.
        presets: the files laid over params.yaml, for the commands that make the run again.
        galleries: experiments whose filters/<experiment>.html the page links to, whether it is
            there or not: the page of a clone without networks is the same.

    Raises:
        ClearfiltersError: for an unknown id, or a measurement that is missing, malformed or made
            with other parameters.
    """
    records = load(index)
    claims = read_claims(run_folder / "claims.csv")
    figures = pictures(run_folder, records, figure_ids)
    opening = picture([figure.id for figure in figures if figure.data])
    said, headlines = sentences(records), headline_rows(records)
    findings, waiting = own_findings(claims)
    html = render(
        __package__,
        TEMPLATE,
        style=STYLE,
        run=run_folder.name,
        folder=run_folder.as_posix(),
        sentences=said,
        headlines=headlines,
        opening=next((figure for figure in figures if figure.id == opening), None),
        findings=findings,
        waiting=waiting,
        papers=by_paper(claims),
        counts=count(claims),
        claims=claims,
        rule=RULE,
        galleries=galleries,
        figures=figures,
        tables=[_table(build_table(table_id, index)) for table_id in table_ids],
        facts=facts(records),
        experiments=experiment_rows(records),
        presets=presets,
        again=again,
        snakemake=snakemake,
        filled_by=filled_by,
        summary_name=SUMMARY,
        summary=_summary(records, said, headlines, claims),
    )
    with atomic_path(out) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _summary(
    records: Records,
    said: Sequence[str],
    headlines: Sequence[HeadlineRow],
    claims: Sequence[Claim],
) -> str:
    """What results/index.html says of the run."""
    experiments = records.experiments()
    content: Mapping[str, Any] = {
        "said": list(said),
        "data": sources_of(d.values for d in records.data.values()),
        "networks": sorted({e.network for e in experiments}),
        "models": sum(len(e.seeds) for e in experiments),
        "devices": sorted({str(t["device"]) for e in experiments for t in records.training(e)}),
        "headlines": [[h.quantity, h.network, h.ours, h.theirs] for h in headlines],
        "verdicts": {one.verdict: one.number for one in count(claims)},
    }
    return json.dumps(content, ensure_ascii=False)


def _table(table: Table) -> dict[str, Any]:
    # What tells the rows apart comes first here: it stays in view when a phone scrolls the table.
    order = sorted(range(len(table.heads)), key=lambda i: table.heads[i] != "Training")
    return {
        "id": table.id,
        "title": table.title,
        "filled": has_numbers(table),
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
