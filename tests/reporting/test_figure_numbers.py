"""The CSV beside a figure: what is seen in the picture stands in it."""

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from synthetic_explainers import both, explain
from synthetic_run import CLASSES, SyntheticRun, fixed_gate

from clearfilters.registry import FIGURES
from clearfilters.reporting.drawing import Drawing
from clearfilters.reporting.figures import draw_figure, write_figure
from clearfilters.reporting.numbers import FIGURE_COLUMNS, Line, write_numbers
from clearfilters.reporting.table import number

Lines = list[dict[str, str]]


def written(path: Path) -> Lines:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def drawing(figure: str, run: SyntheticRun) -> Drawing:
    found = draw_figure(figure, run.index)
    assert found is not None
    return found


def numbers(figure: str, run: SyntheticRun, folder: Path) -> Lines:
    write_numbers(drawing(figure, run).lines, folder / "a.csv")
    return written(folder / "a.csv")


def panels(figure: Figure) -> list[Axes]:
    """All axes but those of colour bars."""
    return [axis for axis in figure.axes if axis.get_label() != "<colorbar>"]


def heights(axis: Axes) -> list[float]:
    """The heights of a panel's curves and levels, of a level once; lines over a matrix are none."""
    found: list[float] = []
    for line in axis.lines if not axis.images else []:
        x, y = (np.asarray(data, float).tolist() for data in (line.get_xdata(), line.get_ydata()))
        is_level = x == [0, 1] and y[0] == y[1]
        # Caps of error bars, and what a difference is measured from.
        if line.get_marker() == "_" or (is_level and y[0] == 0):
            continue
        found += y[:1] if is_level else y
    return found


def entries(axis: Axes) -> list[float]:
    """The entries of a matrix that is drawn by the colour map of numbers, less those in grey."""
    found: list[float] = []
    for image in axis.images:
        array = image.get_array()
        assert array is not None
        if array.ndim == 2 and image.get_cmap().name != "gray" and array.dtype == np.float64:
            found += np.ma.compressed(np.ma.masked_invalid(array)).tolist()
    return found


# Where not every entry stands as it is drawn: half of a symmetric matrix, maps in their own scale,
# and maps that measurements keep as pictures.
SCALED = ("lsg_figure7", "lsg_figure8", "icnn_figure6", "explainer_figure5")


@pytest.mark.parametrize("figure", FIGURES)
def test_what_is_drawn_is_written(figure: str, full_run: SyntheticRun, tmp_path: Path) -> None:
    drawn = drawing(figure, full_run)
    write_numbers(drawn.lines, tmp_path / "a.csv")
    lines = written(tmp_path / "a.csv")
    assert lines and all(line["panel"] and line["series"] for line in lines)
    axes = panels(drawn.figure)
    curves = Counter(number(y) for axis in axes for y in heights(axis))
    assert curves <= Counter(line["y"] for line in lines)
    offsets = {
        tuple(map(number, map(float, point)))
        for axis in axes
        for points in axis.collections
        if isinstance(points, PathCollection)
        for point in np.asarray(points.get_offsets())
    }
    assert offsets <= {(line["x"], line["y"]) for line in lines}
    if figure not in SCALED:
        matrices = Counter(number(entry) for axis in axes for entry in entries(axis))
        assert matrices <= Counter(line["value"] for line in lines)
    assert curves or offsets or any(axis.images for axis in axes)


def test_a_matrix_stands_by_its_names(full_run: SyntheticRun, tmp_path: Path) -> None:
    lines = numbers("lsg_figure9", full_run, tmp_path)
    panel = lines[0]["panel"]
    found = {
        (line["y"], int(line["x"])): float(line["value"])
        for line in lines
        if line["panel"] == panel and line["series"] == "gate"
    }
    gate = fixed_gate()
    assert found == {(CLASSES[c], k): gate[c, k] for c, k in np.ndindex(*gate.shape)}


def test_figure7_names_filters_as_they_were_before_sorting(
    full_run: SyntheticRun, tmp_path: Path
) -> None:
    lines = numbers("lsg_figure7", full_run, tmp_path)
    e = next(e for e in full_run.index if e["analysis"] == "correlation" and e["role"] == "fixed")
    matrix = np.array(json.loads(Path(e["path"]).read_text())["values"]["matrix"])
    panel = [line for line in lines if line["panel"] == e["label"]]
    found = [line for line in panel if line["series"] == "cosine"]
    assert len(found) == len(matrix) * (len(matrix) + 1) // 2
    for line in found:
        assert line["value"] == number(matrix[int(line["y"]), int(line["x"])])


def test_means_have_bars_where_there_are_seeds(run: SyntheticRun, tmp_path: Path) -> None:
    both(run, "dog", p=0.7)  # two seeds, the second with 0.01 more
    explain(run, "100", "explainer-eta", eta=1000.0, p=0.8, seeds=(0,))
    lines = [line for line in numbers("explainer_eta", run, tmp_path) if line["panel"] == "p"]
    spread = 0.01 / np.sqrt(2)
    assert [list(line.values())[2:] for line in lines] == [
        ["100", "0.705", number(0.705 - spread), number(0.705 + spread), ""],
        ["1000", "0.8", "", "", ""],
    ]


def test_pictures_have_their_place(run: SyntheticRun, tmp_path: Path) -> None:
    both(run, "dog", seeds=(0,))
    lines = numbers("explainer_figure3", run, tmp_path)
    assert {line["panel"] for line in lines} == {"dog performer", "dog explainer"}
    assert [line["x"] for line in lines] == ["1", "2", "3"] * 4
    peaks = [float(line["value"]) for line in lines[:3]]
    assert peaks == sorted(peaks, reverse=True)
    maps = numbers("explainer_figure5", run, tmp_path)
    stated = {line["series"]: line["value"] for line in maps if not line["x"]}
    assert stated == {
        "performer, score": "4.2",
        "explainer, score": "4",
        "head, contribution": "3",
        "other, contribution": "-0.25",
    }
    cells = [line for line in maps if line["series"] == "performer"]
    hot = [(line["x"], line["y"]) for line in cells if float(line["value"])]
    assert len(cells) == 16 and hot == [("1", "2")]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (Line("a", "b", 1, 0.5), "a,b,1,0.5,,,"),
        (Line("a, b", "c", "cat", 1 / 3, 0.25, None, float("nan")), '"a, b",c,cat,0.333333,0.25,,'),
        (Line("a", "b", value="dog"), "a,b,,,,,dog"),
    ],
)
def test_the_form_of_a_line(line: Line, text: str, tmp_path: Path) -> None:
    write_numbers([line], tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines() == [",".join(FIGURE_COLUMNS), text]


def test_no_numbers_without_a_figure(run: SyntheticRun, tmp_path: Path) -> None:
    run.add("only", "joint", seeds=(0,))
    assert draw_figure("lsg_figure4", run.index) is None
    assert not write_figure("lsg_figure4", run.index, tmp_path / "a.png")
    assert not list(tmp_path.glob("a.*"))


def test_numbers_stand_beside_the_picture(full_run: SyntheticRun, tmp_path: Path) -> None:
    assert write_figure("lsg_tradeoff", full_run.index, tmp_path / "a.png")
    assert sorted(path.name for path in tmp_path.glob("a.*")) == ["a.csv", "a.png"]
    assert written(tmp_path / "a.csv") == numbers("lsg_tradeoff", full_run, tmp_path)
