"""Run every benchmark and print one table; a requirement that is not met is marked MISSED.

The exit status is 0 unless a benchmark fails to run: timings on a busy machine are no test.
"""

import argparse
import os
import platform

import torch

from benchmarks import (
    black_box,
    explainer,
    finetune,
    forest_features,
    localization,
    memory,
    part_measures,
    part_training,
    path_epochs,
    phi_fit,
    training_speed,
    workload,
)
from benchmarks.row import Row

COLUMNS = ("name", "ours", "baseline", "ratio", "required")


def table(rows: list[Row]) -> str:
    """The rows as aligned text, a verdict at the end of each."""
    cells = [[*COLUMNS, ""]]
    for row in rows:
        cells.append([*(getattr(row, column) for column in COLUMNS), "" if row.met else "MISSED"])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--brief", action="store_true", help="a try-out: too short to be trusted")
    brief = parser.parse_args().brief
    name = torch.cuda.get_device_name() if workload.device().type == "cuda" else "CPU"
    print(
        f"{name} ({platform.machine()}), {os.cpu_count()} cores, {torch.get_num_threads()} "
        f"threads, torch {torch.__version__}; random images of CIFAR-10's shape, "
        f"batch {workload.BATCH}"
    )
    rows = [
        training_speed.run(repeats=1 if brief else 5, batches=2 if brief else 16),
        *path_epochs.run(repeats=1 if brief else 15, batches=2 if brief else 4),
        phi_fit.run(repeats=1 if brief else 3, count=1024 if brief else 10_240),
        forest_features.run(repeats=1 if brief else 3, count=512 if brief else 10_000),
        black_box.run_one_pixel(
            repeats=1 if brief else 5, images=1 if brief else 4, generations=1 if brief else 4
        ),
        black_box.run_local_search(
            repeats=1 if brief else 5,
            images=2 if brief else 16,
            rounds=2 if brief else 5,
            loop_images=1 if brief else 2,
        ),
        *localization.run(
            repeats=1 if brief else 5, images=20 if brief else 500, loop_images=1 if brief else 10
        ),
        part_training.run(repeats=1 if brief else 7, batches=2 if brief else 8),
        explainer.run(repeats=1 if brief else 5, batches=1),
        part_measures.run_location_instability(
            repeats=1 if brief else 5, images=200 if brief else 1000
        ),
        part_measures.run_part_interpretability(
            repeats=1 if brief else 3,
            images=20 if brief else 1000,
            loop_images=1 if brief else 5,
        ),
        finetune.run(repeats=1, count=32 if brief else 64, epochs=10 if brief else finetune.EPOCHS),
        memory.run(batches=1 if brief else 8),
    ]
    print(table(rows))
    for row in rows:
        print(f"{row.name}: {row.notes}")


if __name__ == "__main__":
    main()
