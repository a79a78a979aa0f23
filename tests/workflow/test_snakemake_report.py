"""`snakemake --report`: tables and figures with what stands beside them."""

import json
import re
from collections.abc import Callable

import pytest
from project import Project, shrink

pytestmark = pytest.mark.slow

TABLE, FIGURE = "results/quick/tables/data.csv", "results/quick/figures/animals_contact_sheet.png"


def test_the_report_holds_captions_categories_and_labels(
    copy_project: Callable[..., Project],
) -> None:
    project = copy_project()
    project.change(shrink)
    project.change(lambda params: params["run"].update(datasets=["digits", "animals"]))
    project.snakemake(TABLE, FIGURE)
    out = project.folder / "report.html"
    project.snakemake(TABLE, FIGURE, "--report", str(out))
    text = out.read_text(encoding="utf-8")
    results = json.loads(re.search(r"var results = (\{.*?\});?$", text, re.M).group(1))  # type: ignore[union-attr]
    table, figure = (
        next(found for found in results.values() if found["name"] == file.split("/")[-1])
        for file in (TABLE, FIGURE)
    )
    assert "Images are those of the processed store" in table["caption"]
    assert "embedded animals in the layout of Pascal VOC" in figure["caption"]
    assert (table["labels"], figure["labels"]) == (
        {"table": "data"},
        {"figure": "animals_contact_sheet"},
    )
    assert '"Tables"' in text and '"Figures"' in text
    # What is read of a finished file for its caption makes nothing again.
    assert project.pending(TABLE, FIGURE) == {}
