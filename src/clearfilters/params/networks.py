"""Networks, and which of their blocks are fine-tuned."""

from clearfilters.params.fields import Count, Natural, Positive, Strict


class ModelParams(Strict):
    """A network of the registry; `width` null means the published width."""

    name: str
    width: Count | None = None


class FineTuneParams(Strict):
    """Training of a network's last blocks, gate and head; the blocks before them do not change.

    `weights` are `torchvision`, `package`, a file below raw.root, or null for random ones. The gate
    path has an optimizer of its own with the rate `gate_path_lr`. `views` are the augmented copies
    of each image whose maps at the freezing boundary are computed once and kept; 0 computes them
    anew in every epoch.
    """

    weights: str | None
    trained_blocks: Natural
    gate_path_lr: Positive
    views: Natural
