"""What a job keeps: current exactly while parameters, inputs, code and files are as they were."""

from pathlib import Path

import pytest

from clearfilters.kept import KEYS, Kept, key_of


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """An input, a module and what was made."""
    found = {name: tmp_path / name for name in ("input", "code", "made")}
    for name, path in found.items():
        path.write_text(name)
    return found


def key(files: dict[str, Path], **parameters: int) -> str:
    return key_of({"a": 1, **parameters}, {"input": files["input"]}, [str(files["code"])])


def make(kept: Kept, key_: str, name: str = "made") -> None:
    """Make it without a hitch."""
    with kept.making(name, key_):
        pass


def test_nothing_is_current_at_first(tmp_path: Path, files: dict[str, Path]) -> None:
    assert not Kept(tmp_path / "kept").is_current("made", key(files), [files["made"]])


def test_each_part_of_the_key_counts(tmp_path: Path, files: dict[str, Path]) -> None:
    kept = Kept(tmp_path / "kept")
    make(kept, key(files))
    assert kept.is_current("made", key(files), [files["made"]])
    assert not kept.is_current("another", key(files), [files["made"]])
    assert not kept.is_current("made", key(files, a=2), [files["made"]])
    for name in ("input", "code"):
        files[name].write_text("another")
        assert not kept.is_current("made", key(files), [files["made"]])
        files[name].write_text(name)
    assert kept.is_current("made", key(files), [files["made"]])
    files["made"].unlink()
    assert not kept.is_current("made", key(files), [files["made"]])


def test_a_key_replaces_the_one_before(tmp_path: Path, files: dict[str, Path]) -> None:
    kept = Kept(tmp_path / "kept")
    make(kept, key(files))
    make(kept, key(files, a=3), "other")
    make(kept, key(files, a=2))
    assert kept.is_current("made", key(files, a=2), [files["made"]])
    assert kept.is_current("other", key(files, a=3), [files["made"]])
    assert not kept.is_current("made", key(files), [files["made"]])


def test_damaged_keys_make_nothing_current(tmp_path: Path, files: dict[str, Path]) -> None:
    kept = Kept(tmp_path / "kept")
    make(kept, key(files))
    path = tmp_path / "kept" / KEYS
    path.write_text(path.read_text()[:-5])
    assert not kept.is_current("made", key(files), [files["made"]])
    make(kept, key(files))
    assert kept.is_current("made", key(files), [files["made"]])


def test_what_was_interrupted_is_not_current_under_any_key(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    kept = Kept(tmp_path / "kept")
    make(kept, key(files))
    make(kept, key(files), "other")
    with pytest.raises(KeyboardInterrupt), kept.making("made", key(files, a=2)):
        files["made"].write_text("with a = 2")
        raise KeyboardInterrupt
    # The number changed back: the file is not what it was.
    assert not kept.is_current("made", key(files), [files["made"]])
    assert not kept.is_current("made", key(files, a=2), [files["made"]])
    assert kept.is_current("other", key(files), [files["made"]])
