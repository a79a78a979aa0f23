"""ICNN figures 5 and 6 from synthetic pictures: what is drawn where, and of which networks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from synthetic_parts import FILTERS, PICTURE, add, picture_values
from synthetic_run import SyntheticRun

from clearfilters.reporting.drawing import Drawing, read_caption
from clearfilters.reporting.figures import figure_spec, write_figure
from clearfilters.reporting.figures.part_pictures import icnn_figure5, icnn_figure6
from clearfilters.reporting.records import load

FIGURES = {"icnn_figure5": icnn_figure5, "icnn_figure6": icnn_figure6}


def drawn(figure: str, run: SyntheticRun) -> Drawing:
    return FIGURES[figure](load(run.index, figure_spec(figure).analyses))


def rows(drawing: Drawing) -> list[str]:
    """The labels of the rows, from the top."""
    labels = [axis.get_ylabel() for axis in drawing.figure.axes]
    return [" ".join(label.split()) for label in labels if label]


def pair(run: SyntheticRun, category: str, **options: Any) -> None:
    for role in ("interpretable", "ordinary"):
        add(run, f"{category} {role}", role, (category,), seeds=(0,), **options)


def pixels(image: Any) -> np.ndarray:
    found = np.asarray(image.get_array())
    return found.astype(int) if found.dtype == np.uint8 else found


@pytest.mark.parametrize("figure", FIGURES)
def test_rows_are_networks_of_the_first_data(figure: str, run: SyntheticRun) -> None:
    for category in ("dog", "cat", "fox"):
        pair(run, category)
    for weight in (10000.0, 100.0):
        add(run, f"dog × {weight:g}", "weighted", weight=weight, seeds=(0,))
    add(run, "cow interpretable", "interpretable", ("cow",), seeds=(0,))
    drawing = drawn(figure, run)
    expected = ["dog ordinary", "dog interpretable", "dog × 10000", "cat ordinary"]
    assert rows(drawing) == [*expected, "cat interpretable"]
    assert "dog × 10000: resnet20, ilsvrc-parts, seed 0, 15 epochs" in drawing.caption


@pytest.mark.parametrize("figure", FIGURES)
def test_networks_with_as_many_filters_stand_together(figure: str, run: SyntheticRun) -> None:
    for filters in (8, 4):
        for role in ("ordinary", "interpretable"):
            values = {**picture_values(role, ("dog",)), "filters": filters}
            add(run, f"{role} {filters}", role, seeds=(0,), pictures=values)
    expected = ["ordinary 8", "interpretable 8", "ordinary 4", "interpretable 4"]
    assert rows(drawn(figure, run)) == expected


def test_figure5_lights_the_region(run: SyntheticRun) -> None:
    pair(run, "dog")
    drawing = drawn("icnn_figure5", run)
    assert "its top 0.5% on the category's objects" in drawing.caption
    titles = [title for axis in drawing.figure.axes if (title := axis.get_title(loc="left"))]
    assert titles == ["filter 0, dog", "filter 1, dog"] * 2
    shown = [pixels(axis.images[0]) for axis in drawing.figure.axes if axis.images]
    # Two networks, two filters, three images of each.
    assert len(shown) == 12
    half = PICTURE // 2
    inside, outside = shown[0][:half, :half], shown[0][half:]
    assert inside[:, half - 1, 0].mean() > inside[:, half - 1, 1].mean() + 50
    assert (outside == outside[..., :1]).all() and outside.max() < 100


def test_figure6_lays_cells_over_their_receptive_fields(run: SyntheticRun) -> None:
    pair(run, "dog")
    axis = drawn("icnn_figure6", run).figure.axes[2]  # interpretable, first image
    picture, heat = axis.images
    assert heat.get_extent() == [0, PICTURE, PICTURE, 0] == picture.get_extent()
    expected = np.zeros((4, 4))
    expected[1, 2] = 1
    np.testing.assert_array_equal(pixels(heat), expected)
    assert axis.get_xlabel() == f"{FILTERS} of {FILTERS}"
    assert (axis.get_xlim(), axis.get_ylim()) == ((0, PICTURE), (PICTURE, 0))


def test_silent_filters_are_drawn(run: SyntheticRun, tmp_path: Path) -> None:
    values = picture_values("ordinary", ("dog",))
    for one in values["heat_maps"]:
        one["cells"] = np.zeros((4, 4), int).tolist()
    for role in ("ordinary", "interpretable"):
        add(run, role, role, seeds=(0,), pictures=values)
    assert write_figure("icnn_figure6", run.index, tmp_path / "a.png")
    assert f"0 of {FILTERS}" in [a.get_xlabel() for a in drawn("icnn_figure6", run).figure.axes]


def test_fewer_colours_keep_the_caption(run: SyntheticRun, tmp_path: Path) -> None:
    pair(run, "dog")
    out = tmp_path / "a.png"
    for figure in FIGURES:
        drawing = drawn(figure, run)
        assert write_figure(figure, run.index, out)
        assert read_caption(out) == drawing.caption
        assert drawing.colors is not None
        with Image.open(out) as image:
            assert image.mode == "P"
            colours = image.getcolors()
        assert colours is not None and len(colours) <= drawing.colors
        first = out.read_bytes()
        write_figure(figure, run.index, out)
        assert out.read_bytes() == first
