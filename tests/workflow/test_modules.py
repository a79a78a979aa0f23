"""Which module files a rule depends on: found from the imports, wherever they stand."""

import ast
from pathlib import Path

import pytest

import clearfilters
from clearfilters import machine
from clearfilters.registry import DATASETS, FIGURES, MEASUREMENTS, METHODS, NETWORKS, TABLES
from clearfilters.step_code import (
    STEP_MODULES,
    UNTRACKED,
    module_files,
    step_files,
)

PACKAGE = Path(clearfilters.__path__[0])


def names(files: list[str]) -> set[str]:
    """Paths as seen from the package's folder."""
    return {Path(file).resolve().relative_to(PACKAGE).as_posix() for file in files}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in which every way of importing occurs."""
    files = {
        "__init__.py": "from clearfilters.unrelated import exported",
        "top.py": "import os\nimport clearfilters.plain\nfrom clearfilters.sub import named, leaf",
        "plain.py": "def f():\n    from clearfilters.lazy import g\n    return g",
        "lazy.py": "import clearfilters.top  # a circle\nimport clearfilters.params.jobs",
        "sub/__init__.py": "from clearfilters.reexported import named",
        "sub/leaf.py": 'TEMPLATE = "page.html.j2"\nABSENT = "absent.csv"',
        "sub/page.html.j2": "",
        "sub/other.csv": "",
        "reexported.py": "named = 1",
        "params/__init__.py": "import clearfilters.behind_params",
        "params/jobs.py": "import clearfilters.behind_params",
        "behind_params.py": "",
        "unrelated.py": "import clearfilters.top",
    }
    for name, content in files.items():
        path = tmp_path / "clearfilters" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.setattr(clearfilters, "__path__", [str(tmp_path / "clearfilters")])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_import_is_followed(package: Path) -> None:
    expected = [
        "clearfilters/lazy.py",
        "clearfilters/plain.py",
        "clearfilters/reexported.py",
        "clearfilters/sub/__init__.py",
        "clearfilters/sub/leaf.py",
        "clearfilters/sub/page.html.j2",
        "clearfilters/top.py",
    ]
    assert module_files("clearfilters.top") == expected


def test_parents_of_a_module_count(package: Path) -> None:
    assert "clearfilters/sub/__init__.py" in module_files("clearfilters.sub.leaf")


@pytest.mark.parametrize("step", STEP_MODULES)
def test_the_package_has_the_modules_of_each_step(step: str) -> None:
    path = STEP_MODULES[step].removeprefix("clearfilters.").replace(".", "/")
    assert names(step_files(step)) & {f"{path}.py", f"{path}/__init__.py"}


def test_an_analysis_depends_on_its_own_module_and_on_no_other_analysis() -> None:
    found = names(step_files("measure", MEASUREMENTS["mis"].measure))
    assert "analysis/mutual_information.py" in found
    assert not found & {"analysis/clustering.py", "analysis/masking.py", "training/loop.py"}


def test_a_store_depends_on_its_own_reader_and_on_no_other() -> None:
    found = names(step_files("prepare", DATASETS["digits"].reader))
    assert {"data/digits.py", "data/store.py"} <= found
    assert not found & {"data/cifar.py", "data/voc_parts.py"}


def test_tables_depend_on_the_published_values_and_the_page_on_its_template() -> None:
    assert "reporting/published.csv" in names(step_files("table", TABLES["lsg_table1"]))
    assert "reporting/page/page.html.j2" in names(step_files("report"))


def test_reporting_depends_on_no_training_code() -> None:
    reporting = [step_files("claims"), step_files("report", *TABLES.values(), *FIGURES.values())]
    for files in reporting:
        assert not [name for name in names(files) if name.startswith(("training", "models"))]


def test_a_table_depends_on_its_own_module_only() -> None:
    found = names(step_files("table", TABLES["csg_mis"]))
    assert "reporting/tables/mis.py" in found
    assert not found & {"reporting/tables/leakage.py", "reporting/tables/tradeoff.py"}


def test_untracked_modules_are_in_no_step() -> None:
    untracked = {f"{name.removeprefix('clearfilters.')}.py" for name in UNTRACKED}
    steps = [step_files(step) for step in STEP_MODULES]
    steps += [step_files("measure", entry.measure) for entry in MEASUREMENTS.values()]
    assert not untracked & set.union(*map(names, steps))


def test_a_training_depends_on_its_own_method_and_network_only() -> None:
    std, resnet = METHODS["std"].method, NETWORKS["resnet20"]
    found = names(step_files("train", std, resnet))
    assert {"training/loop.py", "methods/std.py", "models/resnet_cifar.py"} <= found
    others = {"methods/gate.py", "models/alexnet_cifar.py", "models/torchvision_networks.py"}
    assert not found & others
    gate = names(step_files("train", METHODS["gate"].method, NETWORKS["alexnet"]))
    assert {"methods/gate.py", "models/alexnet_cifar.py"} <= gate
    assert "models/resnet_cifar.py" not in gate


# Command of the command line -> its steps, where it has not the name of its one step.
COMMANDS = {
    # It records the features, too; they are measured again if their code changed since.
    "train": ("train", "measure_features", "features"),
    "measure": ("measure_features", "measure", "features"),
}


def test_each_command_runs_only_modules_that_its_rule_depends_on() -> None:
    tree = ast.parse((PACKAGE / "cli.py").read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    # Steps that are part of another's command.
    renamed = {"measure_features", "features", "adversarial"}
    commands = {**{step: (step,) for step in STEP_MODULES.keys() - renamed}, **COMMANDS}
    for command, steps in commands.items():
        node = functions[f"_{command}"]
        imports = [n.module for n in ast.walk(node) if isinstance(n, ast.ImportFrom) and n.module]
        wanted = module_files(*(name for name in imports if name not in UNTRACKED))
        assert set(wanted) <= {file for step in steps for file in step_files(step)}, command


def test_no_relative_imports_which_the_search_would_not_see() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path


def test_no_module_takes_what_the_package_names_for_others() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == clearfilters.__name__:
                assert not {alias.name for alias in node.names} & {*clearfilters.__all__}, path


def test_a_training_asks_for_one_gpu_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "glob", lambda pattern: ["/dev/nvidia0", "/dev/nvidia1"])
    assert machine.gpus() == 1
    monkeypatch.setattr(machine, "glob", lambda pattern: [])
    assert machine.gpus() == 0
