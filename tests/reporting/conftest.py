"""Synthetic runs as fixtures."""

import os
import shutil
from pathlib import Path

import pytest
from pages import page_of
from synthetic_run import SyntheticRun, fill


@pytest.fixture
def run(tmp_path: Path) -> SyntheticRun:
    """An empty synthetic run."""
    return SyntheticRun(tmp_path / "results" / "cifar10")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> SyntheticRun:
    """The run with every experiment, written once; tests get links to its files."""
    return fill(SyntheticRun(tmp_path_factory.mktemp("template") / "cifar10"))


@pytest.fixture
def full_run(template: SyntheticRun, run: SyntheticRun) -> SyntheticRun:
    """The synthetic run with every experiment, whose files and index a test may change."""
    shutil.copytree(template.folder, run.folder, copy_function=os.link)
    for entry in template.index:
        path = run.folder / Path(entry["path"]).relative_to(template.folder)
        run.index.append({**entry, "path": str(path)})
    return run


@pytest.fixture(scope="session")
def full_page(tmp_path_factory: pytest.TempPathFactory) -> tuple[SyntheticRun, Path]:
    """The run with every experiment, and its page, made once; nothing there may be changed."""
    run = fill(SyntheticRun(tmp_path_factory.mktemp("page") / "results" / "cifar10"))
    return run, page_of(run)
