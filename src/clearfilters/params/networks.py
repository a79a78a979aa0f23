"""Networks, and which of their blocks are fine-tuned."""

from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from clearfilters.params.fields import Count, Natural, Number, Positive, Strict


class ConvolutionalHeadParams(Strict):
    """Fully connected layers as convolutions: units of the hidden ones, and their dropout."""

    hidden: list[Count]
    dropout: Annotated[Number, Field(ge=0, lt=1)]


class ModelParams(Strict):
    """A network of the registry; `width` null means the published width.

    `head` null means the linear layer behind global average pooling.
    """

    name: str
    width: Count | None = None
    head: ConvolutionalHeadParams | None = None

    @model_serializer(mode="wrap")
    def _without_absent_head(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Checkpoints are known by the hash of this, and many are older than the key.
        content: dict[str, Any] = serialize(self)
        if self.head is None:
            del content["head"]
        return content


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
