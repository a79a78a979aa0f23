"""Figures of explainers from synthetic measurements: what is drawn where."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_explainers import both, explain, explainer_picture_values
from synthetic_parts import PICTURE
from synthetic_run import SyntheticRun

from clearfilters.reporting.drawing import Drawing
from clearfilters.reporting.figures import figure_spec, write_figure
from clearfilters.reporting.records import load


def drawn(figure: str, run: SyntheticRun) -> Drawing:
    spec = figure_spec(figure)
    return spec(load(run.index, spec.analyses))


def curve(axis: Any, number: int = 0) -> tuple[list[float], list[float]]:
    """Places and means of the first line of an error bar."""
    line = axis.containers[number].lines[0]
    return list(line.get_xdata()), list(line.get_ydata())


def levels(axis: Any) -> list[float]:
    return [line.get_ydata()[0] for line in axis.lines if line.get_linestyle() == "--"]


def test_eta_is_on_a_logarithmic_axis(run: SyntheticRun) -> None:
    both(run, "dog", p=0.7, location=(0.09, 0.27))
    for eta, p in ((1000.0, 0.8), (10.0, 0.4)):
        explain(run, f"{eta:g}", "explainer-eta", eta=eta, p=p, explainer_error=p * 10)
    both(run, "cat", ("cat",))  # at one eta
    drawing = drawn("explainer_eta", run)
    panels = drawing.figure.axes
    assert [len(panel.containers) for panel in panels] == [1, 1, 1, 1, 2]
    # Mean of two seeds, of which the second has 0.01 more.
    etas, p = curve(panels[0])
    assert etas == [10, 100, 1000] and p == pytest.approx([0.405, 0.705, 0.805])
    assert curve(panels[1])[1] == pytest.approx([0.25] * 3)
    assert curve(panels[2])[1] == pytest.approx([4.0, 3.5, 8.0])
    assert curve(panels[3])[1] == pytest.approx([0.091] * 3)
    assert curve(panels[4])[1] == pytest.approx([0.27] * 3)
    assert curve(panels[4], 1)[1] == pytest.approx([0.01] * 3)
    # The performer's error, instability and R².
    assert [levels(panel) for panel in panels[2:]] == [
        [pytest.approx(2.0)],
        [pytest.approx(0.141)],
        [pytest.approx(0.06)],
    ]
    assert all(panel.get_xscale() == "log" for panel in panels)
    labels = [label.get_text() for label in panels[-1].get_xticklabels()]
    assert labels == ["10", "100", "1,000"]
    assert "dog explainer (efficientnet-lite0, 10 epochs, seeds 0, 1)" in drawing.caption


def test_eta_needs_explainers_at_others(run: SyntheticRun, tmp_path: Path) -> None:
    both(run, "dog")
    assert not write_figure("explainer_eta", run.index, tmp_path / "a.png")


def test_figure4_shows_p_of_every_epoch_beside_the_papers(run: SyntheticRun) -> None:
    both(run, "dog", p=0.7)
    both(run, "bird", ("bird",), dataset="cub", p=0.6, plateau=False)
    curves, marks = drawn("explainer_figure4", run).figure.axes
    dog, bird = curves.lines
    assert list(dog.get_xdata()) == [1, 2, 3]
    # Of the lowest seed.
    assert list(dog.get_ydata()) == pytest.approx([0.5, 0.69, 0.7])
    assert (dog.get_linestyle(), bird.get_linestyle()) == ("-", ":")
    found = {line.get_label(): list(line.get_ydata()) for line in marks.lines}
    assert found == {
        "AlexNet": [0.5810],
        "VGG-M": [0.8611],
        "VGG-S": [0.9533],
        "VGG-16": [0.9579],
    }
    assert [label.get_text() for label in marks.get_xticklabels()] == ["paper, CUB"]


def test_figure4_has_the_papers_voc_where_the_run_has_neither(run: SyntheticRun) -> None:
    both(run, "dog")
    _, marks = drawn("explainer_figure4", run).figure.axes
    assert [label.get_text() for label in marks.get_xticklabels()] == ["paper, VOC"]
    found = {line.get_label(): list(line.get_ydata()) for line in marks.lines}
    assert found["ResNet-152"] == [0.9833] and len(found) == 6


def test_figure3_pairs_performer_and_explainer(run: SyntheticRun) -> None:
    for category in ("dog", "cat", "fox"):
        both(run, category, (category,), seeds=(0,))
    explain(run, "alone", categories=("cow",), seeds=(0,))
    drawing = drawn("explainer_figure3", run)
    labels = [axis.get_ylabel() for axis in drawing.figure.axes]
    assert [" ".join(label.split()) for label in labels if label] == [
        *("dog performer", "dog explainer"),
        *("cat performer", "cat explainer"),
    ]
    # Four networks, two filters, three images.
    assert sum(bool(axis.images) for axis in drawing.figure.axes) == 4 * 2 * 3
    assert "conv-interp-2" in drawing.caption


def test_figure3_has_an_explainer_alone_behind_pairs(run: SyntheticRun) -> None:
    explain(run, "alone", categories=("cow",), seeds=(0,))
    both(run, "dog", seeds=(0,))
    labels = [axis.get_ylabel() for axis in drawn("explainer_figure3", run).figure.axes]
    assert [" ".join(label.split()) for label in labels if label] == [
        *("dog performer", "dog explainer", "alone"),
    ]


def test_figure5_has_maps_of_both_networks_and_of_parts(run: SyntheticRun) -> None:
    both(run, "dog", seeds=(0,))
    figure = drawn("explainer_figure5", run).figure
    shown = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in shown] == [
        *("dog", "performer 4.20", "explainer 4.00"),
        *("head +3.00", "other -0.25"),
    ]
    assert [len(axis.images) for axis in shown] == [1, 2, 2, 2, 2]
    hot = np.zeros((4, 4))
    hot[1, 2] = 1
    for axis, expected in zip(shown[1:], (hot.T, hot, hot, 0 * hot), strict=True):
        np.testing.assert_array_equal(np.asarray(axis.images[1].get_array()), expected)
        assert (axis.get_xlim(), axis.get_ylim()) == ((0, PICTURE), (PICTURE, 0))


def test_figure5_shows_the_parts_that_contribute_most(run: SyntheticRun) -> None:
    values = explainer_picture_values(("dog",))
    one = values["examples"][0]
    one["parts"] = {name: one["explainer"] for name in "abcde"}
    one["contributions"] = {"a": 0.1, "b": 3.0, "c": -2.0, "d": 0.5, "e": 0.3}
    values["examples"] = [one] * 5
    both(run, "dog", seeds=(0,), pictures=values)
    titles = [axis.get_title() for axis in drawn("explainer_figure5", run).figure.axes]
    row = ["dog", "performer 4.20", "explainer 4.00", "b +3.00", "d +0.50", "e +0.30", "a +0.10"]
    assert titles == row * 3


def test_small_numbers_use_the_whole_scale(run: SyntheticRun) -> None:
    values = explainer_picture_values(("dog",))
    one = values["examples"][0]
    one["performer"] = (np.array(one["performer"]) / 1000).tolist()
    both(run, "dog", seeds=(0,), pictures=values)
    axis = drawn("explainer_figure5", run).figure.axes[1]
    assert np.asarray(axis.images[1].get_array()).max() == 1
