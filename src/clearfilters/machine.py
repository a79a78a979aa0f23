"""What the Snakefile asks of the machine that jobs run on."""

from glob import glob

import psutil


def gpus() -> int:
    """What a training asks for on this machine: 1 if it has an NVIDIA GPU, else 0."""
    return int(bool(glob("/dev/nvidia[0-9]*")))


def memory_mb() -> int:
    """The memory of this machine, in MB (10^6 bytes), as Snakemake counts `mem_mb`."""
    return psutil.virtual_memory().total // 10**6
