"""Training on after SIGKILL, and from a state that is not of these parameters."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from digits_training import ADAM, run

from clearfilters.params.slices import TrainingSlice
from clearfilters.training import loop

Build = Callable[..., TrainingSlice]
Block = Callable[..., dict[str, Any]]

# Trains, and kills itself without warning in the middle of epoch 2, at its third of four batches.
KILLED = """
import json, os, signal, sys
from pathlib import Path
import torch
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import inputs, loop

torch.set_num_threads(1)
original, calls = inputs.random_crop_flip, 0

def killing(*arguments, **options):
    global calls
    calls += 1
    if calls == 2 * 4 + 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **options)

inputs.random_crop_flip = killing
parameters = TrainingSlice.model_validate(json.loads(sys.argv[1]))
store, folder = Path(sys.argv[2]), Path(sys.argv[3])
loop.train(parameters, store, folder / "checkpoint", folder / "resume.pt", torch.device("cpu"))
"""


def killed_then_resumed(parameters: TrainingSlice, store: Path, folder: Path) -> None:
    """Train in a process that is killed, check what it left, and train on in this one."""
    argument = json.dumps(parameters.model_dump(by_alias=True))
    process = subprocess.run(
        [sys.executable, "-c", KILLED, argument, str(store), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert [path.name for path in folder.iterdir()] == ["resume.pt"]
    run(parameters, store, folder)


def test_killed_in_an_epoch_and_resumed_ends_as_if_left_alone(
    tmp_path: Path, digits_store: Path, make_slice: Build, gate_block: Block,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    # With all that carries state: momentum, Adam on the gate, crops, flips and wrong classes.
    gate = gate_block(update=ADAM, negative_weight=0.5)
    parameters = make_slice(method=gate, epochs=5, flip=True)
    (tmp_path / "killed").mkdir()
    killed_then_resumed(parameters, digits_store, tmp_path / "killed")
    assert "resuming after epoch 1" in capsys.readouterr().err
    run(parameters, digits_store, tmp_path / "alone")
    for name in ("model.safetensors", "history.csv", "meta.json"):
        killed = (tmp_path / "killed" / "checkpoint" / name).read_bytes()
        assert killed == (tmp_path / "alone" / "checkpoint" / name).read_bytes(), name


def test_part_filters_resume_with_their_memory_slopes_and_dropout(
    tmp_path: Path, digits_store: Path, make_slice: Build, part_model: Block, part_block: Block
) -> None:
    parameters = make_slice(model=part_model(), method=part_block(weight=1e4), lr=0.01, epochs=3)
    (tmp_path / "killed").mkdir()
    killed_then_resumed(parameters, digits_store, tmp_path / "killed")
    run(parameters, digits_store, tmp_path / "alone")
    for name in ("model.safetensors", "history.csv"):
        killed = (tmp_path / "killed" / "checkpoint" / name).read_bytes()
        assert killed == (tmp_path / "alone" / "checkpoint" / name).read_bytes(), name


def test_a_resume_state_of_other_parameters_is_not_used(
    tmp_path: Path, digits_store: Path, make_slice: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(loop, "save_checkpoint", interrupt)
        run(make_slice(epochs=1, lr=0.2), digits_store, tmp_path / "resumed")
    assert (tmp_path / "resumed" / "resume.pt").exists()
    resumed, _ = run(make_slice(epochs=1), digits_store, tmp_path / "resumed")
    alone, _ = run(make_slice(epochs=1), digits_store, tmp_path / "alone")
    assert all(torch.equal(resumed[key], alone[key]) for key in alone)
