"""The command `predict`: what it prints and writes, and what it refuses."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from clearfilters.errors import ClearfiltersError
from clearfilters.predict.command import run
from clearfilters.predict.linear_heads import predict_image
from clearfilters.predict.views import read_image, view_of
from clearfilters.training.checkpoint import load_checkpoint


def test_run_prints_and_draws(
    checkpoint: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run([picture], checkpoint, tmp_path / "out", 3, 0.5)
    text = capsys.readouterr().out
    method, meta = load_checkpoint(checkpoint)
    view = view_of(read_image(picture), meta)
    found = predict_image(view, method, meta, filters=3, gate_threshold=0.5)
    assert text.startswith(f"{picture}: {found.answer.label} (confidence ")
    for item in found.filters:
        assert f"filter {item.index:4d}" in text
    assert text.count("    filter ") == 3
    drawn = tmp_path / "out" / "picture.png.cam.png"
    assert str(drawn) in text
    assert Image.open(drawn).size == (52, 40)
    assert list((tmp_path / "out").iterdir()) == [drawn]


def test_run_says_when_there_is_no_gate(
    checkpoint: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run([picture], checkpoint.parent / "plain", tmp_path / "out", 2, 0.5)
    assert capsys.readouterr().out.count("no gate") == 2
    run([picture], checkpoint, tmp_path / "out", 16, 1.0)
    text = capsys.readouterr().out
    assert "no gate" not in text and "all 10 classes" in text and "5" in text


def test_a_bad_image_leaves_no_picture(checkpoint: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    with pytest.raises(ClearfiltersError, match=r"bad\.png"):
        run([bad], checkpoint, tmp_path / "out", 3, 0.5)
    assert not (tmp_path / "out").exists()


def test_two_images_of_one_name_need_two_folders(
    checkpoint: Path, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    shutil.copy(picture, tmp_path / "other" / "picture.png")
    with pytest.raises(ClearfiltersError, match="would overwrite"):
        run([picture, tmp_path / "other" / "picture.png"], checkpoint, tmp_path / "out", 3, 0.5)
    assert not (tmp_path / "out").exists()


def test_the_folder_for_pictures_is_no_file(
    checkpoint: Path, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "out.png").touch()
    with pytest.raises(ClearfiltersError, match=r"--out .*out\.png: a file"):
        run([picture], checkpoint, tmp_path / "out.png", 3, 0.5)


@pytest.mark.parametrize(
    ("filters", "threshold", "named"),
    [
        (0, 0.5, "--filters: 0"),
        (3, 0.0, "--gate-threshold: 0.0"),
        (3, 1.5, "--gate-threshold: 1.5"),
    ],
)
def test_values_out_of_range(
    checkpoint: Path, picture: Path, tmp_path: Path, filters: int, threshold: float, named: str
) -> None:
    with pytest.raises(ClearfiltersError, match=named):
        run([picture], checkpoint, tmp_path / "out", filters, threshold)
