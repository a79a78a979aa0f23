"""Copies of the project to run the workflow in."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from project import PROJECT, ROOT, Project


@pytest.fixture
def copy_project(tmp_path: Path) -> Callable[..., Project]:
    """Copies the project, without any results, into a new folder."""

    def copy(name: str = "project", files: Sequence[str] = PROJECT) -> Project:
        folder = tmp_path / name
        for file in files:
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / file).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
                shutil.copytree(ROOT / file, target, ignore=ignored)
            else:
                shutil.copy(ROOT / file, target)
        (folder / "profiles").symlink_to("workflow/profiles")
        return Project(folder)

    return copy
