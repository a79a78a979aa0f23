"""Figures: every one is drawn, carries its caption and stays small; none without its runs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic_run import SyntheticRun, fixed_gate

from clearfilters.errors import ClearfiltersError
from clearfilters.reporting.drawing import read_caption
from clearfilters.reporting.figures import FIGURES, not_run, write_figure
from clearfilters.reporting.figures.gates import filter_groups, lsg_figure6, lsg_figure10
from clearfilters.reporting.records import load


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure(figure: str, full_run: SyntheticRun, tmp_path: Path) -> None:
    # It reads nothing but what it declares.
    for entry in full_run.index:
        if entry["analysis"] not in FIGURES[figure].analyses:
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
    assert not_run(figure, run.index)


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
    drawing = lsg_figure10(load(full_run.index, FIGURES["lsg_figure10"].analyses))
    drawn = np.asarray(drawing.figure.axes[1].images[0].get_array())
    # The synthetic centres are the gate upside down, and `order` says so.
    assert np.abs(drawn - fixed_gate()).max() <= 0.2


def test_classes_without_false_negatives_are_masked(full_run: SyntheticRun) -> None:
    drawing = lsg_figure6(load(full_run.index, FIGURES["lsg_figure6"].analyses))
    drawn = drawing.figure.axes[1].images[0].get_array()
    assert drawn is not None
    masked = np.ma.getmaskarray(drawn).all(axis=1)
    assert np.flatnonzero(masked).tolist() == [3, 7]


def test_filter_groups() -> None:
    gate = np.array([[1.0, 0.2, 1.0, 1.0], [0.0, 1.0, 1.0, 0.9]])
    assert filter_groups(gate).tolist() == [0, 1, 2, 0]


def test_an_unknown_figure_is_refused(run: SyntheticRun, tmp_path: Path) -> None:
    with pytest.raises(ClearfiltersError, match="no figure `lsg_figure99`"):
        write_figure("lsg_figure99", run.index, tmp_path / "a.png")
