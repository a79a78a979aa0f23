"""Which cells of the recorded runs' tables differ between a commit and the working folder.

python workflow/compare_tables.py COMMIT    # exit status 1 where a number changed or is gone
"""

import csv
import io
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Of a line of a table's CSV, what names it; the rest are its numbers.
KEYS = ("table", "row", "column")


def rows(text: str) -> dict[tuple[str, ...], dict[str, str]]:
    """The lines of a table by what names them."""
    lines = csv.DictReader(io.StringIO(text))
    return {tuple(line[key] for key in KEYS if key in line): line for line in lines}


def committed(commit: str) -> dict[str, str]:
    """Every table of the recorded runs at a commit, path -> content."""
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", commit, "results"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    paths = [path for path in listed if "/tables/" in path and path.endswith(".csv")]
    return {
        path: subprocess.run(
            ["git", "show", f"{commit}:{path}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for path in paths
    }


def compare(path: str, before: dict[tuple[str, ...], dict[str, str]], now: str) -> list[str]:
    """A line for each cell that is new, gone or another."""
    after = rows(now)
    found = []
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            found.append(f"gone     {path}: {', '.join(key)}")
        elif key not in before:
            found.append(f"new      {path}: {', '.join(key)}")
        elif before[key] != after[key]:
            old = before[key]
            cells = [f"{k} {old.get(k)} -> {v}" for k, v in after[key].items() if old.get(k) != v]
            found.append(f"changed  {path}: {', '.join(key)}: {'; '.join(cells)}")
    return found


def main() -> int:
    """Print the differences."""
    found = []
    for path, text in committed(sys.argv[1]).items():
        file = ROOT / path
        found += compare(path, rows(text), file.read_text() if file.is_file() else "")
    print("\n".join(found) or "every cell is the same")
    return int(any(not line.startswith("new") for line in found))


if __name__ == "__main__":
    sys.exit(main())
