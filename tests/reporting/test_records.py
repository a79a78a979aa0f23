"""Reading measurements by an index, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from synthetic_run import CLASSES, SyntheticRun

from clearfilters.errors import ClearfiltersError
from clearfilters.reporting.records import load, matrix_of, summarize


def test_samples_by_seed(run: SyntheticRun) -> None:
    run.add("b", "lsg", seeds=(1, 0))
    run.add("a", "std")
    records = load(run.index)
    assert [e.name for e in records.experiments()] == ["a", "b"]  # STD first
    lsg = records.experiments("lsg")[0]
    assert lsg.seeds == (0, 1)
    assert list(records.sample(lsg, "classification", "accuracy").items()) == [
        (0, 0.91),
        (1, pytest.approx(0.912)),
    ]


def test_null_is_left_out(run: SyntheticRun) -> None:
    run.add("a", "std")
    records = load(run.index)
    assert records.sample(records.experiments()[0], "phi", "trained_density") == {}


def test_summary_by_hand() -> None:
    two = summarize({0: 1.0, 1: 3.0})
    assert two is not None
    assert (two.mean, two.seeds) == (2.0, 2)
    assert two.std == pytest.approx(2**0.5)  # sqrt(((1-2)^2 + (3-2)^2) / (2 - 1))
    one = summarize({4: 1.5})
    assert one is not None and (one.mean, one.std, one.seeds) == (1.5, None, 1)
    assert summarize({}) is None


def test_other_parameters_are_refused_naming_both_hashes(run: SyntheticRun) -> None:
    run.add("a", "std", seeds=(0,))
    entry = run.index[0]
    recorded = entry["expected_hash"]
    entry["expected_hash"] = "f" * 64
    with pytest.raises(ClearfiltersError) as error:
        load(run.index)
    message = str(error.value)
    assert entry["path"] in message and recorded[:12] in message and "f" * 12 in message
    assert "measure again" in message


def test_an_absent_file_is_refused_but_an_absent_entry_is_not(run: SyntheticRun) -> None:
    run.add("a", "std", seeds=(0,))
    gone = run.index.pop(0)
    Path(gone["path"]).unlink()
    records = load(run.index)
    assert records.experiments(analysis=gone["analysis"]) == []
    with pytest.raises(ClearfiltersError, match="no such file"):
        load([*run.index, gone])


def test_only_the_analyses_asked_for_are_read(run: SyntheticRun) -> None:
    run.add("a", "std", seeds=(0,))
    for entry in run.index:
        if entry["analysis"] != "mis":
            Path(entry["path"]).unlink()
    assert load(run.index, ("mis",)).experiments()[0].name == "a"


def test_partner_has_the_same_network_and_the_nearest_epochs(run: SyntheticRun) -> None:
    run.add("std-200", "std", epochs=200)
    run.add("std-15", "std", epochs=15)
    run.add("alexnet-std", "std", model="alexnet", epochs=10)
    run.add("narrow-std", "std", width=8, epochs=10)
    run.add("lsg", "lsg", epochs=10)
    records = load(run.index, ("mis",))
    partner = records.partner(records.experiments("lsg")[0], "std")
    assert partner is not None and partner.name == "std-15"
    assert records.partner(records.experiments("lsg")[0], "csg") is None


def test_partner_has_the_same_data_not_just_their_format(run: SyntheticRun) -> None:
    run.add("a-std", "std", folder="a", epochs=10)
    run.add("b-lsg", "lsg", folder="b", epochs=10)
    records = load(run.index, ("mis",))
    assert records.partner(records.experiments("lsg")[0], "std") is None
    run.add("b-std", "std", folder="b", epochs=200)
    records = load(run.index, ("mis",))
    partner = records.partner(records.experiments("lsg")[0], "std")
    assert partner is not None and partner.name == "b-std"


def test_partner_with_a_measurement(run: SyntheticRun) -> None:
    run.add("std-10", "std", epochs=10, analyses=("phi",))
    run.add("std-200", "std", epochs=200)
    run.add("lsg", "lsg", epochs=10)
    records = load(run.index, ("phi", "masking"))
    assert [
        (std.name, lsg.name)
        for analysis in ("phi", "masking")
        for std, lsg in records.pairs("lsg", "std", analysis)
    ] == [("std-10", "lsg"), ("std-200", "lsg")]


def test_every_experiment_has_its_own_classes(run: SyntheticRun) -> None:
    digits = [str(number) for number in range(10)]
    run.add("objects", "std", folder="a")
    run.add("digits", "std", folder="b", change={"classification": {"classes": digits}})
    records = load(run.index, ("classification",))
    assert [records.classes(e) for e in records.experiments()] == [CLASSES, digits]


def test_a_bad_index_is_refused(run: SyntheticRun) -> None:
    run.add("a", "std", seeds=(0,))
    with pytest.raises(ClearfiltersError, match="listed twice"):
        load([*run.index, run.index[0]])
    with pytest.raises(ClearfiltersError, match="lacks role"):
        load([{k: v for k, v in run.index[0].items() if k != "role"}])
    run.add("b", "lsg", seeds=(0,), label="a")
    with pytest.raises(ClearfiltersError, match="share the label"):
        load(run.index)


def test_a_null_row_of_a_matrix_becomes_nan() -> None:
    matrix = matrix_of([[1.0, 2.0, 3.0], None])
    assert matrix.shape == (2, 3)
    assert np.isnan(matrix[1]).all() and not np.isnan(matrix[0]).any()
    assert np.isnan(matrix_of([None, None])).all()
