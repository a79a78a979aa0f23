"""Figures: every one is drawn, carries its caption and stays small; none without its runs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic_run import CLASSES, SyntheticRun, fixed_gate

from clearfilters.errors import ClearfiltersError
from clearfilters.registry import FIGURES
from clearfilters.reporting.drawing import read_caption
from clearfilters.reporting.figures import figure_spec, not_run, write_figure
from clearfilters.reporting.figures.gates import (
    filter_groups,
    lsg_figure4,
    lsg_figure5,
    lsg_figure6,
    lsg_figure9,
    lsg_figure10,
)
from clearfilters.reporting.figures.tradeoff import lsg_tradeoff
from clearfilters.reporting.records import load


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure(figure: str, full_run: SyntheticRun, tmp_path: Path) -> None:
    # It reads nothing but what it declares.
    for entry in full_run.index:
        if entry["analysis"] not in figure_spec(figure).analyses:
            Path(entry["path"]).unlink()
    out = tmp_path / f"{figure}.png"
    assert write_figure(figure, full_run.index, out)
    assert out.stat().st_size < 200_000
    with Image.open(out) as image:
        assert image.format == "PNG" and image.width > 600
    assert "ResNet20" in read_caption(out) or "resnet20" in read_caption(out)


@pytest.mark.parametrize("figure", FIGURES)
def test_without_its_runs_a_figure_is_skipped(
    figure: str, run: SyntheticRun, tmp_path: Path
) -> None:
    run.add("only", "joint", seeds=(0,))
    out = tmp_path / "figure.png"
    assert not write_figure(figure, run.index, out)
    assert not out.exists()
    assert not_run(figure, load(run.index).measured())


COMPARED = {
    "lsg_figure5": ("lsg", "masking"),
    "lsg_figure7": ("fixed", "correlation"),
    "lsg_figure10": ("fixed", "clustering"),
}


@pytest.mark.parametrize("figure", COMPARED)
def test_a_figure_needs_the_measurement_of_a_partner(
    figure: str, run: SyntheticRun, tmp_path: Path
) -> None:
    role, analysis = COMPARED[figure]
    run.add("std", "std", folder="b", analyses=("classification", "phi"))
    run.add("own", role, folder="b")
    run.add("other-std", "std", folder="a")
    assert not write_figure(figure, run.index, tmp_path / "a.png")
    lacking = not_run(figure, load(run.index).measured())
    assert lacking == [f"{analysis} of std on the same data and network"]
    run.add("far-std", "std", folder="b", epochs=200)
    assert write_figure(figure, run.index, tmp_path / "a.png")
    caption = read_caption(tmp_path / "a.png")
    assert "far-std: seed 0" in caption and "other-std" not in caption


def test_figure5_shows_an_experiment_that_has_a_partner(run: SyntheticRun) -> None:
    run.add("alone", "lsg", folder="a")
    run.add("std", "std", folder="b")
    run.add("lsg", "lsg", folder="b")
    drawing = lsg_figure5(load(run.index, figure_spec("lsg_figure5").analyses))
    assert drawing.caption.endswith("std: seed 0, 30 epochs; lsg: seed 0, 30 epochs.")


def test_figure4_shows_one_data_set(run: SyntheticRun) -> None:
    run.add("a-lsg", "lsg", folder="a")
    run.add("b-std", "std", folder="b")
    assert "b-std" not in lsg_figure4(load(run.index, figure_spec("lsg_figure4").analyses)).caption


def test_classes_are_those_of_the_experiment(run: SyntheticRun) -> None:
    digits = [str(number) for number in range(10)]
    run.add("objects", "fixed", folder="a")
    run.add("digits", "fixed", folder="b", change={"classification": {"classes": digits}})
    drawing = lsg_figure9(load(run.index, figure_spec("lsg_figure9").analyses))
    assert [
        [label.get_text() for label in axis.get_yticklabels()] for axis in drawing.figure.axes[:2]
    ] == [CLASSES, digits]


def test_figure7_without_alexnet(run: SyntheticRun, tmp_path: Path) -> None:
    run.add("std", "std", label="ResNet20 STD")
    run.add("fixed", "fixed", label="ResNet20 fixed")
    assert write_figure("lsg_figure7", run.index, tmp_path / "a.png")


def test_the_same_measurements_give_the_same_picture(
    full_run: SyntheticRun, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        write_figure("lsg_figure9", full_run.index, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_centres_are_drawn_at_their_class(full_run: SyntheticRun) -> None:
    drawing = lsg_figure10(load(full_run.index, figure_spec("lsg_figure10").analyses))
    drawn = np.asarray(drawing.figure.axes[1].images[0].get_array())
    # The synthetic centres are the gate upside down, and `order` says so.
    assert np.abs(drawn - fixed_gate()).max() <= 0.2


def test_classes_without_false_negatives_are_masked(full_run: SyntheticRun) -> None:
    drawing = lsg_figure6(load(full_run.index, figure_spec("lsg_figure6").analyses))
    drawn = drawing.figure.axes[1].images[0].get_array()
    assert drawn is not None
    masked = np.ma.getmaskarray(drawn).all(axis=1)
    assert np.flatnonzero(masked).tolist() == [3, 7]


def test_tradeoff_points_lie_below_the_std_of_as_many_epochs(run: SyntheticRun) -> None:
    for name, role, epochs, accuracy in [
        ("long-std", "std", 30, 0.90),
        ("short-std", "std", 6, 0.80),
        ("grid", "tradeoff", 6, 0.79),
        ("lsg", "lsg", 30, 0.87),
    ]:
        change = {"classification": {"accuracy": accuracy}}
        run.add(name, role, epochs=epochs, change=change)
    figure = lsg_tradeoff(load(run.index, figure_spec("lsg_tradeoff").analyses)).figure
    scatter = next(axis for axis in figure.axes if "minus STD" in axis.get_ylabel())
    heights = [np.asarray(points.get_offsets())[:, 1] for points in scatter.collections]
    assert [height.tolist() for height in heights] == [
        [pytest.approx(-1)],
        [pytest.approx(-3)],
    ]


def test_filter_groups() -> None:
    gate = np.array([[1.0, 0.2, 1.0, 1.0], [0.0, 1.0, 1.0, 0.9]])
    assert filter_groups(gate).tolist() == [0, 1, 2, 0]


def test_an_unknown_figure_is_refused(run: SyntheticRun, tmp_path: Path) -> None:
    with pytest.raises(ClearfiltersError, match="no figure `lsg_figure99`"):
        write_figure("lsg_figure99", run.index, tmp_path / "a.png")
