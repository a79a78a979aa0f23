#!/usr/bin/env python3
"""Run a Snakemake command in this folder, after removing the lock that a killed run left.

    python workflow/alone.py snakemake --cores 8 all

Snakemake locks the folder while it runs, and a run that is killed cannot unlock it. The lock names
no process, so a lock is taken for left over if no other process of this folder's workflow is alive:
neither Snakemake nor a job that outlived it and may still write its outputs.
"""

import os
import subprocess
import sys
from pathlib import Path

import psutil

PROGRAMS = {"snakemake", "clearfilters"}


def running(folder: Path) -> list[str]:
    """Processes that work in `folder` for this workflow, this one and its ancestors left out."""
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            names = {Path(word).name for word in command[:2]}
            if process.pid not in ours and names & PROGRAMS and Path(process.cwd()) == folder:
                found.append(f"process {process.pid}: {' '.join(command[:4])}")
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def main(command: list[str]) -> None:
    """Unlock if the lock is left over, then become the command; exits with 1 if it is in use."""
    folder = Path.cwd().resolve()
    if any(folder.glob(".snakemake/locks/*")):
        busy = running(folder)
        if busy:
            named = "; ".join(busy)
            sys.exit(f"{folder}: another run is going on ({named}). Wait for its end, or stop it.")
        print("A run was killed here: removing its lock and going on.", file=sys.stderr)
        subprocess.run([*command, "--unlock"], check=True)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
