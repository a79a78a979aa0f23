"""Learning-rate factors by epoch."""

import math

from clearfilters.params.training import ScheduleParams


def lr_factor(schedule: ScheduleParams, progress: float, epochs: int) -> float:
    """The factor on the learning rate, in [0, 1].

    Args:
        schedule: cosine (to zero over the whole training), multistep (times gamma at each
            milestone) or geometric (from epoch to epoch by one factor, so that the last of the
            first `milestones[0]` epochs, and all after it, have gamma); all rise linearly over the
            first `warmup_epochs`.
        progress: epochs trained so far, fractional within an epoch, in [0, epochs).
        epochs: length of the training.
    """
    if progress < schedule.warmup_epochs:
        return progress / schedule.warmup_epochs
    if schedule.name == "multistep":
        return schedule.gamma ** sum(progress >= milestone for milestone in schedule.milestones)
    if schedule.name == "geometric":
        steps = max(schedule.milestones[0] - 1, 1)
        return schedule.gamma ** min(int(progress) / steps, 1.0)
    span = epochs - schedule.warmup_epochs
    return 0.5 * (1 + math.cos(math.pi * (progress - schedule.warmup_epochs) / span))
