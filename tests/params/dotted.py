"""Keys of nested dictionaries."""

from typing import Any


def set_key(content: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key."""
    *folders, last = key.split(".")
    for folder in folders:
        content = content[folder]
    content[last] = value
