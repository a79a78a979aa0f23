"""Where real data lies, for the tests that compare with it."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data: CLEARFILTERS_REAL_DATA, or ../shared/data; skips without one."""
    named = os.environ.get("CLEARFILTERS_REAL_DATA")
    folder = Path(named) if named else ROOT.parent / "shared/data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; name its folder in CLEARFILTERS_REAL_DATA")
    return folder
