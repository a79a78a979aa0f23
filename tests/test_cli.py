"""The command line: what a user sees of a failure that is no fault of theirs."""

import pytest
import torch

from clearfilters import cli

ARGUMENTS = ["predict", "photo.png", "--checkpoint", "folder"]


def test_a_full_gpu_is_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")

    monkeypatch.setattr(cli, "_predict", full)
    status = cli.main(ARGUMENTS)
    said = capsys.readouterr().err
    assert status == 1
    assert "Tried to allocate 2.00 GiB." in said and "more" not in said
    assert "fewer jobs on it at once" in said


def test_another_runtime_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("another")

    monkeypatch.setattr(cli, "_predict", broken)
    with pytest.raises(RuntimeError, match="another"):
        cli.main(ARGUMENTS)
