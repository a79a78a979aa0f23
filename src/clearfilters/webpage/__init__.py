"""What all pages share: how a template becomes HTML, and the style that theirs begin with."""

from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

# Included in the style of each page.
BASE_STYLE = "base.css.j2"


def render(package: str, template: str, **content: Any) -> str:
    """The text of a template of a package; what it is given is escaped.

    Args:
        package: whose folder holds the template; it may include those of this package, too.
        template: its file.
        content: what it names, beside `base_style`; a name that is missing is an error.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "."), PackageLoader(__name__, ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**content, base_style=BASE_STYLE)
