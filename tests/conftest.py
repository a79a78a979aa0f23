"""What several tests share: small networks on a small part of the digits, and the real data."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from clearfilters.data import digits
from clearfilters.data.store import Split, read_meta, write_store
from clearfilters.methods.method import Method
from clearfilters.params.slices import TrainingSlice
from clearfilters.params.sources import merged
from clearfilters.training.checkpoint import build_method, build_network

ROOT = Path(__file__).parents[1]

# How the digits of the tests are prepared.
DIGITS = {
    "format": "digits", "note": "", "test_fraction": 0.2, "split_seed": 0, "enlargement": 4,
}  # fmt: skip
# What stands above a small trunk in the tests of part filters.
TOP = {
    "trunk_blocks": None, "standardised": False, "convolution": None, "interpretable": True,
    "masks": True, "template": "code", "beta": 2.0,
    "pool": {"side": 2, "stride": 2, "zeros": 0}, "init_std": None,
    "new_bias": {"lr": 2.0, "decay": 0.0}, "trunk_bias_lr": 5.0, "beta_lr": 0.05,
}  # fmt: skip
LSG = {"name": "lsg", "lambda": 0.5, "a": 0.05, "s_density": 0.1}
ALTERNATING = {"scheme": "alternating", "period": 3, "gate_phases": [1], "warmup_epochs": 0}
PLAIN = {"init": 0.5, "optimizer": "plain", "lr": 1.0}


def minutes(item: pytest.Item) -> float:
    """About how long a test takes, by its mark; 0 of one that is not slow."""
    slow = item.get_closest_marker("slow")
    return 0 if slow is None else slow.kwargs.get("minutes", 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that none of them is what several processes wait for at the end."""
    items.sort(key=minutes, reverse=True)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Small nets are fastest with one thread, and byte-identical results need a fixed number."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data: CLEARFILTERS_REAL_DATA, or ../shared/data; skips without one."""
    named = os.environ.get("CLEARFILTERS_REAL_DATA")
    folder = Path(named) if named else ROOT.parent / "shared/data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; name its folder in CLEARFILTERS_REAL_DATA")
    return folder


@pytest.fixture
def default_params() -> dict[str, Any]:
    """The content of params.yaml, fresh for each test and without aliases, as Snakemake has it."""
    return merged([ROOT / "params.yaml"])


@pytest.fixture(scope="session")
def preset_files() -> Callable[[Path], list[Path]]:
    """The files of a preset as the command in its head names them: what it is laid over, first."""

    def read(preset: Path) -> list[Path]:
        named = re.search(
            r"--configfile[ =]((?: ?workflow/presets/\S+\.yaml)+)", preset.read_text()
        )
        assert named is not None
        found = [ROOT / name for name in named[1].split()]
        assert found[-1] == preset
        return found

    return read


@pytest.fixture(scope="session")
def digits_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A processed store of 256 training and 64 test digits."""
    splits = digits.read_digits(test_fraction=0.2, split_seed=0, enlargement=4)
    train, test = splits["train"], splits["test"]
    root = tmp_path_factory.mktemp("digits")
    write_store(
        root,
        {
            "train": Split(train.images[:256], train.labels[:256]),
            "test": Split(test.images[:64], test.labels[:64]),
        },
        dataset="digits",
        source="scikit-learn load_digits",
        note="",
        classes=digits.CLASSES,
        raw_sha256={},
        verified=True,
        parameters=DIGITS,
    )
    return root


@pytest.fixture
def make_slice() -> Callable[..., TrainingSlice]:
    """Builds a training slice: a ResNet20 of width 4 (K = 16) on digits, unless told otherwise."""

    def build(
        *,
        method: dict[str, Any] | None = None,
        model: dict[str, Any] | None = None,
        seed: int = 0,
        **training: Any,
    ) -> TrainingSlice:
        defaults: dict[str, Any] = {
            "epochs": 3,
            "batch_size": 64,
            "optimizer": "sgd",
            "lr": 0.1,
            "momentum": 0.9,
            "weight_decay": 0.0001,
            "schedule": {"name": "cosine", "warmup_epochs": 0, "milestones": [], "gamma": 0.1},
            "crop_padding": 2,
            "crop_border": "black",
            "flip": False,
            "precision": "float32",
            "compile": False,
            "evaluate_every": 2,
        }
        content = {
            "data": DIGITS,
            "model": model or {"name": "resnet20", "width": 4},
            "method": method or {"name": "std"},
            "training": {**defaults, **training},
            "seed": seed,
        }
        return TrainingSlice.model_validate(content)

    return build


@pytest.fixture
def fresh_method(digits_store: Path) -> Callable[[TrainingSlice], Method]:
    """Builds the untrained method of a training slice on digits."""

    def build(parameters: TrainingSlice) -> Method:
        meta = read_meta(digits_store)
        network = build_network(parameters, meta.classes, meta.mean, meta.std, meta.image_size)
        return build_method(parameters, network)

    return build


TOP: dict[str, Any] = {
    "trunk_blocks": None,
    "standardised": False,
    "convolution": None,
    "interpretable": True,
    "masks": True,
    "template": "code",
    "beta": 2.0,
    "pool": {"side": 2, "stride": 2, "zeros": 0},
    "init_std": None,
    "new_bias": {"lr": 2.0, "decay": 0.0},
    "trunk_bias_lr": 5.0,
    "beta_lr": 0.05,
}


@pytest.fixture
def part_model() -> Callable[..., dict[str, Any]]:
    """Builds the model block of an interpretable network: a small trunk unless told otherwise."""

    def build(name: str = "convnet", **top: Any) -> dict[str, Any]:
        width = {"width": 4} if name == "convnet" else {}
        head = {"hidden": [8], "dropout": 0.5}
        return {"name": name, **width, "top": {**TOP, **top}, "head": head}

    return build


@pytest.fixture
def part_block() -> Callable[..., dict[str, Any]]:
    """Builds the method block of part filters: the released code's, unless told otherwise."""

    def build(**changes: Any) -> dict[str, Any]:
        return {
            "name": "part-filters",
            "variant": "code",
            "layers": [1, 2],
            "weight": 1.0,
            "strength": 1e-6,
            "falling": True,
            "ratio": None,
            "per_filter": False,
            "alpha": 0.5,
            "tau": 0.5,
            "memory": 0.9,
            "beta": {"spread": 3.0, "least": 1.5, "greatest": 3.0, "gain": 10000.0},
            **changes,
        }

    return build


@pytest.fixture
def explainer_block() -> Callable[..., dict[str, Any]]:
    """Builds the method block of an explainer without filter loss, unless told otherwise."""

    def build(**changes: Any) -> dict[str, Any]:
        return {
            "name": "explainer",
            "target": "reconstruction",
            "reconstruction": 0.5,
            "eta": 10.0,
            "ratio": None,
            "falling": True,
            "alpha": 0.5,
            "memory": 0.9,
            "beta": 4.0,
            "init_std": None,
            "momentum": 0.1,
            "dead": 0.01,
            "keep_scale": True,
            "decoder_lr": 0.01,
            "p_lr": 0.05,
            **changes,
        }

    return build


@pytest.fixture
def explainer_slice(
    make_slice: Callable[..., TrainingSlice],
    part_model: Callable[..., dict[str, Any]],
    explainer_block: Callable[..., dict[str, Any]],
) -> Callable[..., TrainingSlice]:
    """Builds the training slice of an explainer, of 6 filters below 7 and 5 units, on digits.

    `model`, `blocks` (those that are trained) and `finetune` stand for what is usual; other options
    are of the method, or of the training.
    """

    def build(
        *,
        model: dict[str, Any] | None = None,
        blocks: int = 1,
        finetune: dict[str, Any] | None = None,
        training: dict[str, Any] | None = None,
        loss: str = "logistic",
        seed: int = 0,
        **changes: Any,
    ) -> TrainingSlice:
        ordinary = part_model(standardised=True, convolution=6, interpretable=False, masks=False)
        ordinary["head"]["hidden"] = [7, 5]
        model = model or ordinary
        explained = make_slice(model=model, loss=loss, seed=seed, epochs=1, lr=0.01, crop_padding=0)
        content = make_slice(
            model=model,
            method=explainer_block(**changes),
            loss=loss,
            seed=seed,
            **{"optimizer": "adam", "lr": 0.001, "crop_padding": 0, **(training or {})},
        ).model_dump(by_alias=True)
        boundary = {"weights": None, "trained_blocks": 1, "views": 1, "kept_as": None}
        content["performer"] = {**explained.model_dump(by_alias=True), "finetune": boundary}
        content["finetune"] = {**boundary, "trained_blocks": blocks, **(finetune or {})}
        return TrainingSlice.model_validate(content)

    return build


@pytest.fixture
def gate_block() -> Callable[..., dict[str, Any]]:
    """Builds the method block of a gate experiment: LSG, alternating, unless told otherwise."""

    def build(**changes: Any) -> dict[str, Any]:
        moves = {} if "fixed" in changes else {"update": PLAIN}
        return {"name": "gate", "objective": LSG, "path": ALTERNATING, **moves, **changes}

    return build


@pytest.fixture
def part_slice(make_slice: Callable[..., TrainingSlice]) -> Callable[..., TrainingSlice]:
    """Builds a training slice of D = 8 filters on boxes of 32 pixels: cat or background.

    With several categories they are told apart by one logistic output each, or as `loss` says.
    `top` changes keys of TOP; `hidden` are the units of the fully connected layers.
    """

    def build(
        *categories: str,
        loss: str | None = None,
        top: dict[str, Any] | None = None,
        hidden: Sequence[int] = (5,),
    ) -> TrainingSlice:
        several = len(categories) > 1
        task: dict[str, Any] = {"name": "single", "negatives": "neg", "positive_share": 0.75}
        if several:
            task = {"name": "multi", "min_images": 1, "max_images": None}
        numbers = ("n02121808", "n02084071")
        content = make_slice(
            model={
                "name": "convnet", "width": 2, "top": {**TOP, **(top or {})},
                "head": {"hidden": list(hidden), "dropout": 0.5},
            },
            loss=loss or ("multi-label-logistic" if several else "logistic"),
        ).model_dump(by_alias=True)  # fmt: skip
        content["data"] = {
            "format": "ilsvrc-parts", "note": "", "image_size": 32, "min_area": 0.0,
            "categories": dict(zip(categories or ("cat",), numbers, strict=False)),
            "train_share": 0.9, "task": task,
        }  # fmt: skip
        return TrainingSlice.model_validate(content)

    return build
