"""Parameter files that YAML would read in silence, and values from the command line."""

from pathlib import Path

import pytest
import yaml

from clearfilters.errors import ClearfiltersError
from clearfilters.params.sources import read_parameter_file, typed

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "file", [ROOT / "params.yaml", *sorted((ROOT / "workflow/presets").glob("*.yaml"))], ids=str
)
def test_our_own_files_pass(file: Path) -> None:
    read_parameter_file(file)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: key `a` stands twice"),
        ("outer:\n  inner:\n    - {x: 1, y: 2, x: 3}\n", "line 3: key `x` stands twice"),
        ("base: &base\n  a: 1\n  a: 2\nuse: *base\n", "line 3: key `a` stands twice"),
        ("a: [1\nb: 2\n", "line 2: "),
        ("a: \x00\n", "not YAML"),
    ],
)
def test_a_faulty_file_is_refused(tmp_path: Path, content: str, error: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(ClearfiltersError, match=f"mine.yaml: {error}"):
        read_parameter_file(file)


def test_one_name_in_two_blocks_is_no_repeat(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("base: &base {lr: 1, epochs: 2}\nother:\n  <<: *base\n  lr: 3\n1: a\n'1': b\n")
    read_parameter_file(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClearfiltersError, match=r"absent\.yaml: no such file"):
        read_parameter_file(tmp_path / "absent.yaml")


def test_scalars_in_braces_are_read_as_in_a_file() -> None:
    text = "{lr: 0.1, epochs: 3, flip: true, note: none given, deep: [{x: '7'}], nothing: null}"
    # As Snakemake reads what stands in braces.
    given = yaml.load(text, Loader=yaml.BaseLoader)
    assert given["lr"] == "0.1"
    assert typed({"training": given, "seed": 4}) == {
        "training": {
            "lr": 0.1,
            "epochs": 3,
            "flip": True,
            "note": "none given",
            "deep": [{"x": 7}],
            "nothing": None,
        },
        "seed": 4,
    }


@pytest.mark.parametrize("text", ["a: b", "[1", "{x}", "plain"])
def test_other_text_stays_text(text: str) -> None:
    assert typed(text) == text
