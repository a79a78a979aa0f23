"""Where parameters come from: what YAML and Snakemake would pass over in silence."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from clearfilters.errors import ClearfiltersError


class _UniqueKeysLoader(yaml.CSafeLoader):
    """Safe YAML without its habit of keeping only the last of several equal keys.

    Of libyaml, which reads params.yaml in an eighth of the time: each start of Snakemake does.
    """


def _unique_mapping(loader: _UniqueKeysLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
            raise yaml.constructor.ConstructorError(
                problem=f"key `{key.value}` stands twice in one block", problem_mark=key.start_mark
            )
        seen.add((key.tag, str(key.value)))
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_UniqueKeysLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def read_parameter_file(path: Path) -> Any:
    """The content of a parameter file.

    Args:
        path: params.yaml or a preset.

    Raises:
        ClearfiltersError: naming file, line and key, if it is not YAML, or a block has a key twice:
            YAML would take the last of them, and the other would be silently without effect.
    """
    try:
        return yaml.load(path.read_text(), Loader=_UniqueKeysLoader)
    except FileNotFoundError:
        raise ClearfiltersError(f"{path}: no such file; name a parameter file") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}" if mark else "somewhere"
        raise ClearfiltersError(f"{path}: {place}: {error.problem}; correct it") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ClearfiltersError(f"{path}: not YAML in UTF-8 ({error}); correct it") from None


def merged(files: Iterable[Path]) -> dict[str, Any]:
    """Parameter files laid over one another, each over those before it, as Snakemake does it.

    Raises:
        ClearfiltersError: as `read_parameter_file` does.
    """
    from snakemake.utils import update_config

    content: dict[str, Any] = {}
    for path in files:
        update_config(content, read_parameter_file(path))
    return content


def typed(given: Any) -> Any:
    """What `--config` gave, its scalars read as those of a parameter file are.

    Snakemake reads `--config training='{lr: 0.1}'` with every scalar inside the braces as text.

    Args:
        given: a mapping, list or scalar; every text in it is read as a YAML scalar.
    """
    if isinstance(given, Mapping):
        return {key: typed(value) for key, value in given.items()}
    if isinstance(given, list):
        return [typed(value) for value in given]
    if not isinstance(given, str):
        return given
    try:
        read = yaml.safe_load(given)
    except yaml.YAMLError:
        return given
    return given if isinstance(read, dict | list) else read
