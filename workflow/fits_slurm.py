#!/usr/bin/env python3
"""Say, before anything is submitted, which jobs of the SLURM profile fit no node of the cluster.

    python workflow/fits_slurm.py [--partition NAME] [--profile workflow/profiles/slurm/config.yaml]

Nodes are what `sinfo` lists; jobs are what the profile asks for: threads, memory, GPUs and minutes.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import yaml

# Partition, cores and MB of a node, its GPUs and other devices, the limit of a job's time.
FIELDS = "%P|%c|%m|%G|%l"
GPUS = re.compile(r"(?:^|,)gpu(?::[^:,(]+)?:(\d+)")


@dataclass(frozen=True)
class Node:
    """A kind of node of a partition; `default`: of the one that jobs go to by themselves."""

    partition: str
    default: bool
    threads: float
    mem_mb: float
    gpu: float
    runtime: float


def minutes(limit: str) -> float:
    """SLURM's `days-hours:minutes:seconds`, of which the left parts may be absent, in minutes."""
    if limit in ("infinite", "n/a"):
        return inf
    days, _, clock = limit.rpartition("-")
    hours, mins, seconds = [0, 0, *map(int, clock.split(":"))][-3:]
    return int(days or 0) * 1440 + hours * 60 + mins + seconds / 60


def parse(listing: str) -> list[Node]:
    """The nodes of `sinfo --noheader --format FIELDS`, a line each."""
    nodes = []
    for line in listing.splitlines():
        partition, cores, memory, devices, limit = line.strip().split("|")
        nodes.append(
            Node(
                partition.rstrip("*"),
                partition.endswith("*"),
                # `+` stands behind the least of several.
                int(cores.rstrip("+")),
                int(memory.rstrip("+")),
                sum(map(int, GPUS.findall(devices))),
                minutes(limit),
            )
        )
    return nodes


def requests(profile: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Rule -> what the profile asks for; `other rules` have its defaults."""
    threads, resources = profile.get("set-threads", {}), profile.get("set-resources", {})
    usual = {key: value for key, value in profile.get("default-resources", {}).items()
             if key in ("mem_mb", "runtime", "gpu")}  # fmt: skip
    return {
        rule: {"threads": threads.get(rule, 1), **usual, **resources.get(rule, {})}
        for rule in ("other rules", *dict.fromkeys([*threads, *resources]))
    }


def misfits(asked: Mapping[str, Mapping[str, float]], nodes: Iterable[Node]) -> list[str]:
    """A sentence for each rule whose jobs fit no node, with what is too much everywhere."""
    nodes = list(nodes)
    found = []
    for rule, wants in asked.items():
        lacking = [
            {key for key, value in wants.items() if value > getattr(node, key)} for node in nodes
        ]
        if not all(lacking):
            continue
        # Of the node that comes nearest.
        least = min(range(len(nodes)), key=lambda number: len(lacking[number]))
        parts = [
            f"{key} {wants[key]:g} (there: {getattr(nodes[least], key):g})"
            for key in sorted(lacking[least])
        ]
        found.append(f"{rule}: {', '.join(parts)}")
    return found


def main() -> None:
    """Print what does not fit and exit with 1, or say that everything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", type=Path, default=Path("workflow/profiles/slurm/config.yaml"))
    parser.add_argument("--partition", help="default: the profile's, else the cluster's default")
    args = parser.parse_args()
    profile = yaml.safe_load(args.profile.read_text())
    try:
        command = ["sinfo", "--noheader", "--format", FIELDS]
        listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        sys.exit("sinfo: no such command; run this on a login node of a SLURM cluster")
    nodes = parse(listing)
    chosen = args.partition or profile.get("default-resources", {}).get("slurm_partition")
    there = [node for node in nodes if (node.partition == chosen if chosen else node.default)]
    if not there:
        names = ", ".join(dict.fromkeys(node.partition for node in nodes))
        sys.exit(
            f"{args.profile}: no partition `{chosen or '(default)'}` here; there are: {names}. Set "
            "default-resources: slurm_partition, or give --partition"
        )
    wrong = misfits(requests(profile), there)
    if wrong:
        sys.exit(
            f"{args.profile}: no node of partition `{there[0].partition}` has enough for\n  "
            + "\n  ".join(wrong)
            + "\nlower these in set-threads or set-resources, or name another partition"
        )
    print(f"{args.profile}: every job fits partition `{there[0].partition}`")


if __name__ == "__main__":
    main()
