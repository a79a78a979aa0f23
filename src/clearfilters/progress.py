"""Progress of long work: a bar in a terminal, a few plain lines in a log."""

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
# Lines that a log gets, at most.
LINES = 10


def progress(items: Sequence[Item], what: str, unit: str) -> Iterator[Item]:
    """The items one by one, while standard error tells how many are done.

    Args:
        items: what the work goes through.
        what: name of the work.
        unit: what an item is, in the plural.
    """
    if sys.stderr.isatty():
        yield from tqdm(items, desc=what, unit=f" {unit}")
        return
    count = len(items)
    for done, item in enumerate(items, start=1):
        yield item
        if done * LINES // count > (done - 1) * LINES // count:
            print(f"{what}: {done} of {count} {unit}", file=sys.stderr, flush=True)
