"""Files of samples that do not fit, are damaged or absent."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detection_samples import C, recorded, slice_of, write_samples

from clearfilters.errors import ClearfiltersError


def test_samples_of_other_parameters_are_refused(tmp_path: Path) -> None:
    slice_ = slice_of("fgsm")
    write_samples(tmp_path, slice_, "fgsm")
    slice_["white_box"]["fgsm"]["eps"] = 0.5
    with pytest.raises(ClearfiltersError, match=r"fgsm.npz: made with parameters .* restore"):
        recorded(tmp_path, slice_)


def test_samples_without_the_packages_that_made_them_are_refused(tmp_path: Path) -> None:
    slice_ = slice_of("fgsm")
    about = write_samples(tmp_path, slice_, "fgsm").with_suffix(".json")
    meta = json.loads(about.read_text())
    del meta["packages"]
    about.write_text(json.dumps(meta))
    with pytest.raises(ClearfiltersError, match=r"fgsm.json: lacks packages; .*`fgsm` again"):
        recorded(tmp_path, slice_)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"success": np.ones(3, bool)}, r"`success` has shape \(3,\), \(M,\) expected with M = 84"),
        ({"label": np.zeros(84, np.int64)}, r"labels \[0\], every one of 0 to 2 expected"),
        ({"layer_sizes": np.array([3, 4])}, "8 features in `clean_layers`, 7 expected"),
        ({"adversarial_logits": np.zeros((5, C))}, r"\(5, 3\) \(adversarial\) for 84 images"),
        ({"clean_layers": np.full((84, 8), np.nan)}, "layers hold NaN"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    slice_ = slice_of("fgsm")
    write_samples(tmp_path, slice_, "fgsm", **change)
    with pytest.raises(ClearfiltersError, match=message):
        recorded(tmp_path, slice_)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    slice_ = slice_of("fgsm")
    with pytest.raises(ClearfiltersError, match=r"fgsm.json: no such file"):
        recorded(tmp_path, slice_)
    path = write_samples(tmp_path, slice_, "fgsm")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ClearfiltersError, match=r"fgsm.npz: damaged"):
        recorded(tmp_path, slice_)
    np.savez(path, split=np.zeros(3))
    with pytest.raises(ClearfiltersError, match=r"fgsm.npz: arrays split, index, .* expected"):
        recorded(tmp_path, slice_)
    path.unlink()
    with pytest.raises(ClearfiltersError, match=r"fgsm.npz: no such file"):
        recorded(tmp_path, slice_)
