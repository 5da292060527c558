"""Markup of pictures, one element at a time; whatever is put in is escaped."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from markupsafe import Markup, escape

Value = str | float


def tag(name: str, *children: str | Markup, **attributes: Value | None) -> Markup:
    """One element. An attribute `stroke_width` is written stroke-width, `class_` class.

    Children that are no Markup are text. Attributes that are None are left out; numbers are
    written to a hundredth.
    """
    said = "".join(
        [
            f' {_named(each)}="{_written(value)}"'
            for each, value in attributes.items()
            if value is not None
        ]
    )
    inner = "".join([escape(child) for child in children])
    return Markup(f"<{name}{said}>{inner}</{name}>" if inner else f"<{name}{said}/>")  # noqa: S704 - all of it is escaped


def joined(parts: Iterable[Markup]) -> Markup:
    """Elements one after the other."""
    return Markup("").join(parts)


def percent(share: float) -> str:
    """A share of the width, from 0 to 1."""
    return f"{number(100 * share)}%"


def number(value: float) -> str:
    """A number to a hundredth, without what says nothing."""
    return f"{round(value, 2):g}" if -1000 < value < 1000 else f"{value:.0f}"


def picture(title: str, description: str, *children: Markup, height: float, kind: str) -> Markup:
    """A whole picture as wide as its place and `height` pixels high, of the class `kind`.

    Who cannot see it is told the title and the description.
    """
    said = f"{title}. {description}"
    inner = (tag("title", title), tag("desc", description), *children)
    return tag(
        "svg",
        *inner,
        class_=f"picture {kind}",
        role="img",
        aria_label=said,
        width="100%",
        height=height,
    )


@functools.cache
def _named(attribute: str) -> str:
    return attribute.rstrip("_").replace("_", "-")


def _written(value: Value) -> str:
    return escape(value) if isinstance(value, str) else number(value)
