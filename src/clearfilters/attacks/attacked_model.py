"""All attacks on a model and their detection in one process; samples that are current are kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clearfilters.attacks.adversarial_samples import sample_slice
from clearfilters.attacks.detection import record_detection
from clearfilters.kept import Kept, key_of, model_inputs, say
from clearfilters.step_code import sample_files


def measure_detection(
    slice_: dict[str, Any],
    *,
    experiment: str,
    seed: int,
    checkpoint: Path,
    store: Path,
    samples: Path,
    out: Path,
    device: Callable[[], Any],
) -> None:
    """Attack a trained network where its samples are not current, and record their detection.

    Args:
        slice_: everything that shapes the detection; `white_box` names the attacks.
        experiment: name of the experiment.
        seed: of the training.
        checkpoint: folder of the trained network.
        store: the processed store that it was trained on.
        samples: the folder that keeps `<attack>.npz` and `.json`.
        out: the JSON.
        device: gives the device, if there is something to attack.

    Raises:
        ClearfiltersError: as `record_adversarial` and `record_detection`.
    """
    kept = Kept(samples)
    inputs = model_inputs(checkpoint, store)
    for attack in slice_["white_box"]:
        own = sample_slice(slice_, attack)
        files = [samples / f"{attack}.npz", samples / f"{attack}.json"]
        key = key_of(own, inputs, sample_files(own))
        if kept.is_current(attack, key, files):
            say(f"{attack}: kept")
            continue
        from clearfilters.attacks.adversarial import record_adversarial  # torch is slow to import

        with kept.making(attack, key):
            record_adversarial(checkpoint, store, attack, own, files[0], device())
        say(f"{attack}: attacked")
    record_detection(samples, slice_, experiment=experiment, seed=seed, out=out)
