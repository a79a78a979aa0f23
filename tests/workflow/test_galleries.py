"""The rule of galleries in a small run: what makes one anew, and what one makes anew."""

from collections.abc import Callable
from typing import Any

import pytest
from project import Project, shrink

pytestmark = pytest.mark.slow


def shows(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda params: params["gallery"].update(changes)


def test_a_gallery_depends_on_its_own_code_and_parameters_and_nothing_on_it(
    copy_project: Callable[..., Project],
) -> None:
    project = copy_project()
    project.change(shrink)
    project.change(shows(filters=5))
    project.snakemake("galleries")
    (page,) = project.contents("results/quick/filters/*.html").values()
    assert page.decode().count("<article") == 5
    # Of what run.galleries names the run trains this one, and no other is needed.
    assert project.contents("results/quick/checkpoints/**/meta.json").keys() == {
        "results/quick/checkpoints/resnet20-lsg/seed0/meta.json"
    }
    assert project.pending("galleries") == {}
    code = project.folder / "src/clearfilters/gallery/pages.py"
    content = code.read_text()
    code.write_text(f"{content}# changed")
    assert project.pending("galleries") == {"gallery": 1}
    code.write_text(content)
    project.change(shows(filters=3))
    assert project.pending("galleries") == {"gallery": 1}
    project.change(lambda params: params["run"].update(galleries=[]))
    assert project.pending("galleries") == {}
