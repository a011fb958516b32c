"""A list of everything that is wrong with an input, so that the user mends it all at once."""

from __future__ import annotations

SHOWN = 20


class Faults:
    """Collects faults with their places; keeps the first 20 and counts the rest."""

    def __init__(self) -> None:
        self.total = 0
        self.first: list[str] = []

    def __len__(self) -> int:
        return self.total

    def add(self, where: str, what: str) -> None:
        """Note one fault. where: file:line or file: record; what: the fault with the bad value, and the remedy."""
        self.total += 1
        if len(self.first) < SHOWN:
            self.first.append(f"{where}: {what}")

    def report(self) -> str:
        """Return the faults as indented lines, with the number of those that are not shown."""
        rest = self.total - len(self.first)
        return "\n".join(["  " + fault for fault in self.first] + ([f"  ... and {rest:,} more"] if rest else []))
