"""Progress in a log: few lines, the last one complete, the items untouched."""

import pytest

from clearfilters.progress import LINES, progress


@pytest.mark.parametrize("count", [1, 3, 10, 52, 1000])
def test_a_log_gets_few_lines(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(count), "search", "rounds")) == list(range(count))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == min(count, LINES)
    assert lines[-1] == f"search: {count} of {count} rounds"
    done = [int(line.split()[1]) for line in lines]
    assert done == sorted(set(done))


def test_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress([], "search", "rounds")) == []
    assert capsys.readouterr().err == ""


def test_work_that_ends_early(capsys: pytest.CaptureFixture[str]) -> None:
    for item in progress(range(100), "search", "rounds"):
        if item == 35:
            break
    assert capsys.readouterr().err.splitlines()[-1] == "search: 30 of 100 rounds"
