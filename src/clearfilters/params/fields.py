"""Types of single values, and the block that every other block of parameters extends."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from clearfilters.registry import load

# A number to YAML 1.2 and to everybody, but text to YAML 1.1, which wants `1.0e-1`.
SCIENTIFIC = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


def _number(value: Any) -> Any:
    is_number = isinstance(value, str) and SCIENTIFIC.fullmatch(value)
    return float(value) if is_number else value


Number = Annotated[float, BeforeValidator(_number)]
Positive = Annotated[Number, Field(gt=0)]
NonNegative = Annotated[Number, Field(ge=0)]
Fraction = Annotated[Number, Field(gt=0, lt=1)]
Density = Annotated[Number, Field(gt=0, le=1)]
Share = Annotated[Number, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # as NumPy and scikit-learn take them
Range = Annotated[list[Positive], Field(min_length=2, max_length=2)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Entry(Protocol):
    """A registry's entry that has parameters: their schema as `module:class`."""

    @property
    def params(self) -> str:
        """The schema."""


def of_registry(key: str, entries: Mapping[str, Entry], base: type[BaseModel]) -> PlainValidator:
    """Validates a block by the schema of what its `key` names; only that one is imported.

    Args:
        key: of the block.
        entries: a registry.
        base: what every schema extends.
    """

    def validate(value: Any) -> Any:
        if isinstance(value, base):
            return value
        name = value.get(key) if isinstance(value, Mapping) else None
        if not isinstance(name, str) or name not in entries:
            found = value if name is None else name
            raise ValueError(
                f"expected a block whose `{key}` is one of {', '.join(entries)}, found {found!r}"
            )
        return load(entries[name].params).model_validate(value)

    return PlainValidator(validate)


class Strict(BaseModel):
    """Unknown keys and infinite numbers are errors; values are not converted or changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def check_each_once(name: str, values: Sequence[Any]) -> None:
    """Refuse an empty list, or one that names an entry twice; raises ValueError with `name`."""
    if not values or len(set(values)) != len(values):
        raise ValueError(f"{name} {values} must not be empty and must name each entry once")
