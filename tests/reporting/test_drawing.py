"""What every figure has in common."""

from pathlib import Path

from PIL import Image

from clearfilters.reporting.drawing import Drawing, new_figure, read_caption, save


def test_a_dollar_sign_is_no_formula(tmp_path: Path) -> None:
    # As a formula, what stands between the two cannot be read.
    name = "from $x^ to $5"
    figure, axes = new_figure(2, 1, 1)
    axes[0, 0].plot([0, 1], label=name)
    axes[0, 0].set_title(name)
    axes[0, 0].set_xticks([0, 1], [name, name])
    axes[0, 0].legend()
    save(Drawing(figure, "a caption", []), tmp_path / "figure.png")
    assert read_caption(tmp_path / "figure.png") == "a caption"
    assert Image.open(tmp_path / "figure.png").width > 100
