"""Parsed YAML or JSON into typed blocks, with errors that name the keys."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import DatasetParams

T = TypeVar("T")


def explain(error: ValidationError, source: str, content: Any) -> ClearfiltersError:
    """One line per key that is wrong: `source`, the key, what was expected, what was found.

    Args:
        error: what pydantic found in `content`.
        source: the file or the option that `content` comes from.
        content: what was validated.
    """
    lines = []
    for detail in error.errors():
        key = ".".join(_keys(detail["loc"], content)) or "(top level)"
        # A whole block would bury the message, which names what is wrong in it.
        is_block = isinstance(detail["input"], Mapping) and detail["type"] == "value_error"
        found = "" if is_block else f" (found: {detail['input']!r})"
        lines.append(f"{source}: {key}: {detail['msg']}{found}")
    return ClearfiltersError("\n".join(lines) + "\nCorrect these keys and run again.")


def _keys(location: Sequence[int | str], content: Any) -> list[str]:
    """A location in `content` without the tags that pydantic adds where a block has several types.

    The tag is what the block's `name`, `format` or `method` says, and no key of the block.
    """
    keys = []
    for part in location:
        if isinstance(content, Mapping):
            tags = [content.get(key) for key in ("name", "format", "method")]
            if part not in content and part in tags:
                continue
            content = content.get(part)
        elif isinstance(content, Sequence) and isinstance(part, int):
            content = content[part]
        else:
            content = None
        keys.append(str(part))
    return keys


def _parsed(kind: Any, content: Any, source: str) -> Any:
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        raise explain(error, source, content) from None


def parse(kind: type[T], content: Any, key: str | None = None) -> T:
    """A command line's JSON as a block of parameters.

    Args:
        kind: the type.
        content: the parsed JSON.
        key: parse only what stands under this key.

    Raises:
        ClearfiltersError: naming each key that is wrong or missing.
    """
    if key is None:
        parsed: T = _parsed(kind, content, "--parameters")
        return parsed
    if not isinstance(content, Mapping) or key not in content:
        raise ClearfiltersError(f"--parameters: the key `{key}` is missing; add it")
    parsed = _parsed(kind, content[key], f"--parameters: {key}")
    return parsed


def parse_dataset(content: Any) -> DatasetParams:
    """A data set's parameters, of any format, from a command line's JSON; errors as `parse`."""
    parsed: DatasetParams = _parsed(DatasetParams, content, "--parameters")
    return parsed
