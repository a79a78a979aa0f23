"""The start of a bundle on the other machine: unpack, install the wheels, run.

python3 bundle.zip --seconds 500 --at-once 4 --work WORK --out OUT

Uses the standard library only, and is all that runs before the project's own code.
"""

import os
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


def unpack(bundle: Path, work: Path) -> None:
    """Extract a bundle into a folder; no member may leave it."""
    inside = work.resolve()
    with zipfile.ZipFile(bundle) as members:
        for name in members.namelist():
            if not (inside / name).resolve().is_relative_to(inside):
                sys.exit(
                    f"{bundle}: {name} would leave {work}; this is no bundle, nothing unpacked"
                )
        members.extractall(inside)


def missing(wheels: list[Path]) -> list[str]:
    """The wheels of packages that this Python does not have."""
    found = []
    for wheel in wheels:
        try:
            distribution(wheel.name.split("-")[0])
        except PackageNotFoundError:
            found.append(str(wheel))
    return found


def main() -> None:
    """Set up and hand over to `clearfilters.bundle.run`, with the same arguments."""
    arguments = sys.argv[1:]
    if "--work" not in arguments[:-1]:
        sys.exit("--work FOLDER is missing: where to unpack and train")
    work = Path(arguments[arguments.index("--work") + 1])
    unpack(Path(sys.argv[0]), work)
    site = work / "site"
    wheels = missing(sorted((work / "wheels").glob("*.whl")))
    if wheels:
        options = ["-q", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir"]
        options += ["--upgrade", "--target"]
        command = [sys.executable, "-m", "pip", "install", *options, str(site), *wheels]
        subprocess.run(command, check=True)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site.resolve()), str((work / "src").resolve())]),
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "clearfilters.bundle.run", *arguments]
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
