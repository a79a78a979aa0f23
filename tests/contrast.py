"""Colours of a style, and whether text on a ground can be read (WCAG 2.2)."""

import re


def luminance(color: str) -> float:
    """Relative luminance of `#rrggbb`, as WCAG 2.2 defines it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, as WCAG 2.2 defines it: 1 to 21."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def schemes(text: str) -> list[dict[str, str]]:
    """The colours by name, of the light and the dark scheme."""
    blocks = re.findall(r":root \{(.*?)\}", text, re.S)
    # The base style's, then the page's own; each light, then dark.
    return [
        {
            name: colour
            for block in blocks[first::2]
            for name, colour in re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)
        }
        for first in (0, 1)
    ]
