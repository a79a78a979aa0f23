"""Which files of this package each step of the workflow depends on, found from the imports."""

import ast
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import clearfilters
from clearfilters.registry import ATTACKS, METHODS, NETWORKS, PRETRAINED, TOP

PACKAGE = "clearfilters"
# What a module may read besides other modules.
DATA_SUFFIXES = (".csv", ".j2", ".yaml")
# The module that does the work of each step; what it imports follows.
STEP_MODULES = {
    "prepare": "clearfilters.data.prepare",
    "record_data": "clearfilters.data.record",
    "train": "clearfilters.training.loop",
    "features": "clearfilters.training.features",
    "measure": "clearfilters.analysis.recording",
    "measure_features": "clearfilters.measuring",
    "measure_network": "clearfilters.training.network_measurement",
    "adversarial": "clearfilters.attacks.adversarial",
    "detection": "clearfilters.attacks.attacked_model",
    "gallery": "clearfilters.gallery.command",
    "table": "clearfilters.reporting.tables",
    "figure": "clearfilters.reporting.figures",
    "contact_sheet": "clearfilters.reporting.contact_sheet",
    "summary": "clearfilters.reporting.summary",
    "curves": "clearfilters.reporting.curves",
    "claims": "clearfilters.reporting.claims",
    "report": "clearfilters.reporting.page",
}
# Not inputs of any rule: the command line only passes arguments on; what params/ resolves reaches
# each rule as its slice, whose changes are seen; and of what the registry names, a step depends on
# what it takes. Else a new parameter, or a new network, would retrain every other.
UNTRACKED = ("clearfilters.cli", "clearfilters.params", "clearfilters.registry")


def module_files(*modules: str) -> list[str]:
    """The files that a result of these modules depends on, relative to the working directory.

    They are the modules, every module of this package that they import, directly or not, at the
    top or inside a function, and the files beside a module that it names in a string (templates,
    published values). Modules of UNTRACKED are left out, with what only they import, and so is the
    package's own `__init__.py`.
    """
    found: set[Path] = set()
    waiting = [name for module in modules for name in _with_parents(module)]
    while waiting:
        name = waiting.pop()
        path = _module_path(name)
        if path is None or path in found or _is_untracked(name):
            continue
        found.add(path)
        imported, files = _dependencies(path)
        waiting.extend(imported)
        found.update(files)
    return sorted(os.path.relpath(path) for path in found)


@cache
def step_files(step: str, *chosen: str) -> list[str]:
    """The module files of a step of STEP_MODULES.

    Args:
        step: its name.
        chosen: what the step takes from the registry, `module:object` or `module`.
    """
    return module_files(STEP_MODULES[step], *(entry.split(":")[0] for entry in chosen))


def model_files(step: str, slice_: Mapping[str, Any]) -> list[str]:
    """The module files of a step on a model: those of its own method and network.

    Args:
        step: its name.
        slice_: of the training, or of what is made of the model.
    """
    network = NETWORKS.get(slice_["model"]["name"])  # the training refuses one that is not known
    chosen = [METHODS[slice_["method"]["name"]].method, *filter(None, [network])]
    if slice_["model"].get("top") is not None:
        chosen.append(TOP)
    if (slice_.get("finetune") or {}).get("weights") is not None:
        chosen.append(PRETRAINED)
    if slice_.get("performer") is not None:
        chosen.append(METHODS[slice_["performer"]["method"]["name"]].method)
    return step_files(step, *chosen)


def sample_files(slice_: Mapping[str, Any]) -> list[str]:
    """The module files that the adversarial samples of an attack depend on.

    Args:
        slice_: of the samples: that of the training, and `attack`.
    """
    build = ATTACKS[slice_["attack"]["method"]].build
    return sorted({*model_files("adversarial", slice_), *step_files("adversarial", build)})


def _is_untracked(module: str) -> bool:
    # The package's own `__init__.py` is for others: no step asks it for what it names.
    return module == PACKAGE or any(parent in UNTRACKED for parent in _with_parents(module))


def _with_parents(module: str) -> list[str]:
    """`a.b.c` as a, a.b and a.b.c: importing it runs all three."""
    parts = module.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _module_path(module: str) -> Path | None:
    """The file of a module of this package; None if the name is no module of it."""
    return _file_below(clearfilters.__path__[0], module)


# Asked for every import of every module, once for each rule and model of a run.
@cache
def _file_below(package: str, module: str) -> Path | None:
    parts = module.split(".")
    if parts[0] != PACKAGE:
        return None
    path = Path(package, *parts[1:])
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    return None


@cache
def _dependencies(path: Path) -> tuple[list[str], list[Path]]:
    """Names that a module imports (some may be no modules), and the files beside it it names."""
    imported: list[str] = []
    files: list[Path] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                imported += _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported += _with_parents(node.module)
            imported += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and str(node.value).endswith(DATA_SUFFIXES):
            beside = path.parent / str(node.value)
            if beside.is_file():
                files.append(beside)
    return imported, files
