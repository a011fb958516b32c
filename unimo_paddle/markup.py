"""HTML in which text is escaped unless it was made here."""

from __future__ import annotations

import html

from unimo_paddle.plain_text import visible

_EMPTY = frozenset({"meta", "link", "img", "input"})   # HTML lets these stand without an end; SVG none


class Markup(str):
    """A piece of HTML, safe to put into a page."""

    __slots__ = ()


def tag(name: str, /, *inside: str, **attributes: str | float | bool) -> Markup:
    """Return an element around texts, which are escaped, and Markup, which is not.

    attributes: `class_` is class and `aria_label` aria-label; numbers are written short; True stands for an attribute
    without a value, False for none.
    """
    head = name + "".join(_attribute(*item) for item in attributes.items())
    return Markup(f"<{head}>" if name in _EMPTY else f"<{head}>{join(*inside)}</{name}>")


def join(*parts: str) -> Markup:
    """Return texts, escaped, and Markup, as it is, one after the other."""
    return Markup("".join(part if isinstance(part, Markup) else html.escape(visible(part)) for part in parts))


def _attribute(name: str, value: str | float | bool) -> str:
    name = name.rstrip("_").replace("_", "-").replace("viewbox", "viewBox")
    if isinstance(value, bool):
        return f" {name}" if value else ""
    shown = value if isinstance(value, str) else f"{value:.6g}"
    return f' {name}="{html.escape(shown if isinstance(value, Markup) else visible(shown))}"'
