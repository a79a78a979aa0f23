"""Files that Snakemake did not make here: what it takes them for."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import Project, shrink
from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence

from clearfilters.artifacts import CHECKPOINT_FILES, file_sha256, parameters_hash
from clearfilters.errors import ClearfiltersError
from clearfilters.travelling import FIELDS, SNAKEMAKE, keep_records, restore_records
from clearfilters.workflow import Plan

Copy = Callable[..., Project]
TARGET = "train_resnet20-std"
CHECKPOINT = "results/quick/checkpoints/resnet20-std/seed0"


def put(project: Project, hash_: str) -> None:
    """A trained network, older than its data, as `dvc pull` may have brought it."""
    folder = project.folder / CHECKPOINT
    folder.mkdir(parents=True, exist_ok=True)
    for name in CHECKPOINT_FILES:
        (folder / name).write_text(json.dumps({"parameters_hash": hash_}))
        os.utime(folder / name, (1e9, 1e9))


@pytest.mark.slow
def test_a_network_is_trained_again_if_its_own_parameters_are_others(copy_project: Copy) -> None:
    project = copy_project()
    project.change(shrink)
    project.snakemake("store_digits")
    plan = Plan(yaml.safe_load((project.folder / "params.yaml").read_text()))
    put(project, parameters_hash(json.loads(plan.training_slice("resnet20-std", "0"))))
    assert project.pending(TARGET) == {}
    # Of other parameters; and code that changed after it was put there.
    project.change(lambda params: params["training"].update(lr=0.05))
    assert project.pending(TARGET) == {TARGET: 1, "trained_model": 1}
    project.change(lambda params: params["training"].update(lr=0.1))
    assert project.pending(TARGET) == {}
    (project.folder / "src/clearfilters/training/loop.py").touch()
    assert project.pending(TARGET) == {TARGET: 1, "trained_model": 1}


@pytest.mark.slow
def test_records_go_with_the_files(copy_project: Copy) -> None:
    project = copy_project()
    project.change(shrink)
    project.snakemake("store_digits")
    store = project.folder / "data/processed/quick/digits"
    records = project.folder / "results/quick/records"
    project.run(
        "python", "workflow/keep_records.py", "results/quick/records/data.json", "data/processed"
    )
    kept = json.loads((records / "data.json").read_text())
    assert [job["record"]["rule"] for job in kept] == ["store_digits"]
    assert set(kept[0]["outputs"]) == {
        str(path.relative_to(project.folder)) for path in store.rglob("*") if path.is_file()
    }

    # As in a clone: other dates, and nothing that Snakemake knows.
    def as_pulled() -> None:
        for path in store.rglob("*"):
            os.utime(path)
        for path in project.folder.glob(".snakemake/metadata/*"):
            path.unlink()

    as_pulled()
    project.change(lambda params: params["datasets"]["digits"].update(split_seed=1))
    assert project.pending("store_digits") == {"store_digits": 1}
    project.change(lambda params: params["datasets"]["digits"].update(split_seed=0))
    as_pulled()
    code = project.folder / "src/clearfilters/data/digits.py"
    code.write_text(code.read_text() + "\n")
    os.utime(code, (1e9, 1e9))
    assert project.pending("store_digits") == {"store_digits": 1}
    code.write_text(code.read_text()[:-1])
    assert project.pending("store_digits") == {}


def test_a_file_of_other_content_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made").mkdir()
    keep_records([Path("made")], Path("records/data.json"))
    assert json.loads(Path("records/data.json").read_text()) == []
    fields = {**dict.fromkeys(FIELDS), "input": [], "rule": "a", "record_format_version": 0}
    job = {"outputs": {"made/a": "0" * 64}, "record": fields}
    Path("records/data.json").write_text(json.dumps([job]))
    Path("made/a").write_text("edited by hand")
    os.utime("made/a", (1e9, 1e9))
    assert restore_records(Path("records")) == []
    assert Path("made/a").stat().st_mtime == 1e9


def test_a_file_that_was_left_gets_the_record_of_what_was_put_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC leaves files of the same content, whose record here is of other inputs."""
    monkeypatch.chdir(tmp_path)
    known = FilePersistence(nolock=True, path=SNAKEMAKE)
    for name in ("measured", "table.csv", "table.md", "page"):
        Path(name).write_text(name)

    def record(inputs: list[str], checksum: str, date: float = 0.0) -> dict[str, Any]:
        fields: dict[str, Any] = {**dict.fromkeys(FIELDS), "input": inputs, "log": inputs}
        fields["record_format_version"] = 0
        fields["input_checksums"] = dict.fromkeys(inputs, checksum)
        return {**fields, "starttime": date, "endtime": date} if date else fields

    # Left as they were: made here of another measurement.
    for name, inputs in (("table.csv", ["measured"]), ("page", ["table.csv"])):
        date = Path(name).stat().st_mtime
        known._write_record(name, MetadataRecord(**record(inputs, "another", date)))
    kept = [
        {
            "outputs": {name: file_sha256(Path(name)) for name in outputs},
            "record": record(inputs, "the kept"),
        }
        for outputs, inputs in (
            (["page"], ["table.csv"]),
            (["table.csv", "table.md"], ["measured"]),
            (["measured"], []),
        )
    ]
    Path("records").mkdir()
    Path("records/report.json").write_text(json.dumps(kept))

    assert restore_records(Path("records")) == ["measured", "table.csv", "table.md", "page"]
    dates = []
    for name in ("measured", "table.csv", "page"):
        found = known._read_record(name)
        assert found is not None
        assert set(found.input_checksums.values()) <= {"the kept"}
        assert found.endtime == Path(name).stat().st_mtime
        dates.append(found.endtime)
    # Older than what it was made of, so that Snakemake compares checksums.
    assert dates == sorted(dates, reverse=True)
    assert restore_records(Path("records")) == []


@pytest.mark.parametrize("content", ["{", '[{"x": 1}]', '[{"outputs": {}, "record": {}}]', "3"])
def test_damaged_records_are_an_error_that_names_the_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(ClearfiltersError, match=r"train\.json"):
        restore_records(tmp_path)
