"""How a setting is declared: a dataclass field with its meaning and its range."""

from __future__ import annotations

from dataclasses import field
from typing import Any

Faults = list[tuple[str, str]]  # (key within the section, what is wrong with it)


def setting(default: Any, doc: str, **rule: Any) -> Any:
    """Declare a setting. doc: meaning and unit, shown in errors; rule: at_least, above, at_most, below, choices
    (bounds hold for each element of a tuple), and may_change: a run may be continued with another value.
    """
    return field(default=default, metadata={"doc": doc, **rule})


def section(kind: Any) -> Any:
    """Declare a group of settings that all have defaults."""
    return field(default_factory=kind)
