"""Networks, and which of their blocks are fine-tuned."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from clearfilters.params.fields import Count, Natural, NonNegative, Number, Positive, Strict


class ConvolutionalHeadParams(Strict):
    """Fully connected layers as convolutions: units of the hidden ones, and their dropout."""

    hidden: list[Count]
    dropout: Annotated[Number, Field(ge=0, lt=1)]


class PoolParams(Strict):
    """Max pooling: side and stride, and rows and columns of zeros at the bottom and the right."""

    side: Count
    stride: Count
    zeros: Natural


class BiasFactors(Strict):
    """Of biases: factors on learning rate and weight decay."""

    lr: NonNegative
    decay: NonNegative


class TopParams(Strict):
    """What stands above a trunk: an ordinary top, or one with two layers of part filters.

    Of the trunk are the first `trunk_blocks` blocks, null for all. `convolution` is the number of
    filters of a new convolution on its maps, `standardised` or not; null where the trunk's own top
    convolution stands. `masks` false leaves the places of the masks, without effect. `beta` is
    their first slope, in the unit of `template`. The last `ordinary` filters of each layer have no
    mask and no filter loss. Weights are drawn from N(0, init_std^2), or by
    He's rule for null. The rest are factors on learning rates and weight decays.
    """

    trunk_blocks: Count | None
    standardised: bool
    convolution: Count | None
    interpretable: bool
    masks: bool
    template: Literal["code", "paper"]
    beta: Positive
    pool: PoolParams
    init_std: Positive | None
    new_bias: BiasFactors
    trunk_bias_lr: NonNegative
    beta_lr: NonNegative
    ordinary: Natural = 0

    @model_serializer(mode="wrap")
    def _without_later_key(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Checkpoints are known by the hash of this, and some are older than the key.
        content: dict[str, Any] = serialize(self)
        if self.ordinary == 0:
            del content["ordinary"]
        return content

    @model_validator(mode="after")
    def _masks_have_places(self) -> "TopParams":
        if self.masks and not self.interpretable:
            raise ValueError("masks: true, but interpretable: false has no place for them")
        if self.ordinary and not self.interpretable:
            raise ValueError("ordinary: with interpretable: false all filters are; leave it out")
        if self.standardised and self.convolution is None:
            raise ValueError(
                "standardised: true, but a mask needs maps from 0 on; give convolution a number of "
                "filters"
            )
        return self


class ModelParams(Strict):
    """A network of the registry; `width` null means the published width.

    `head` null means the linear layer behind global average pooling, `top` null the network's own
    blocks.
    """

    name: str
    width: Count | None = None
    head: ConvolutionalHeadParams | None = None
    top: TopParams | None = None

    @model_validator(mode="after")
    def _top_has_head(self) -> "ModelParams":
        if self.top is not None and self.head is None:
            raise ValueError("a network with `top` has fully connected layers; add `head`")
        return self

    @model_serializer(mode="wrap")
    def _without_later_keys(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Checkpoints are known by the hash of this, and many are older than these keys.
        content: dict[str, Any] = serialize(self)
        for key in ("head", "top"):
            if content[key] is None:
                del content[key]
        return content


class FineTuneParams(Strict):
    """Training of a network's last blocks, gate and head; the blocks before them do not change.

    `weights` are `torchvision`, `package`, a file below raw.root, or null for random ones. The gate
    path has an optimizer of its own with the rate `gate_path_lr`; null without a gate. `views` are
    the augmented copies of each image whose maps at the freezing boundary are computed once and
    kept; 0 computes them anew in every epoch. `kept_as` is their number type; null for what the
    frozen blocks give.
    """

    weights: str | None
    trained_blocks: Natural
    gate_path_lr: Positive | None = None
    views: Natural
    kept_as: Literal["float16"] | None = None

    @model_serializer(mode="wrap")
    def _without_later_key(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Checkpoints are known by the hash of this, and some are older than the key.
        content: dict[str, Any] = serialize(self)
        if self.kept_as is None:
            del content["kept_as"]
        return content
