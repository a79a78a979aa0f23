"""The optimisation of theta: epochs, rates, schedule, augmentation, precision."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from clearfilters.params.fields import (
    Count,
    Fraction,
    Natural,
    NonNegative,
    Number,
    Positive,
    Strict,
)

Border = Literal["black", "reflect"]  # of an image that is padded for random crops


class ScheduleParams(Strict):
    """Learning rate over epochs, times `lr`."""

    name: Literal["cosine", "multistep", "geometric"]
    warmup_epochs: Natural
    milestones: list[Count]
    gamma: Fraction

    @model_validator(mode="after")
    def _milestones_rise(self) -> "ScheduleParams":
        if self.milestones != sorted(set(self.milestones)):
            raise ValueError(f"milestones {self.milestones} must rise")
        if self.name == "multistep" and not self.milestones:
            raise ValueError("multistep needs milestones; name at least one, or choose cosine")
        if self.name == "geometric" and len(self.milestones) != 1:
            raise ValueError(
                "geometric falls over a number of epochs; name that one number in milestones"
            )
        return self


class TrainingParams(Strict):
    """The optimisation of theta."""

    epochs: Count
    batch_size: Count
    optimizer: Literal["sgd", "adam"]
    lr: Positive
    momentum: Annotated[Number, Field(ge=0, lt=1)]
    weight_decay: NonNegative
    schedule: ScheduleParams
    crop_padding: Natural
    crop_border: Border = "black"
    flip: bool
    precision: Literal["bf16", "float32"]
    compile: bool
    evaluate_every: Count
    loss: Literal["softmax", "logistic", "multi-label-logistic"] = "softmax"

    @model_validator(mode="after")
    def _schedule_ends_in_time(self) -> "TrainingParams":
        schedule = self.schedule
        if schedule.warmup_epochs > self.epochs:
            raise ValueError(
                f"schedule.warmup_epochs {schedule.warmup_epochs} must be at most epochs "
                f"{self.epochs}"
            )
        if schedule.name == "multistep" and schedule.milestones[-1] >= self.epochs:
            raise ValueError(
                f"schedule.milestones {schedule.milestones} must lie below epochs {self.epochs}"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_later_keys(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Checkpoints are known by the hash of this, and many are older than these keys.
        content: dict[str, Any] = serialize(self)
        for key in ("crop_border", "loss"):
            if content[key] == type(self).model_fields[key].default:
                del content[key]
        return content
