"""What a saved session says that is left out when it is opened, and in which words."""

from __future__ import annotations


class Leftovers:
    """Remembers what is left out of a file, each thing once."""

    def __init__(self) -> None:
        self._unknown: dict[str, None] = {}
        self._said: dict[str, None] = {}

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the user should know of it."""
        if not self._unknown:
            return tuple(self._said)
        rest = ", ".join(self._unknown)
        return *self._said, f"Left out, as this version does not know it: {rest}."

    def say(self, sentence: str) -> None:
        """Remember a sentence for the user."""
        self._said[sentence] = None

    def unknown(self, name: str, where: str) -> None:
        """Remember a key that is not known, and what it belongs to, as "the map"."""
        self._unknown[f"“{name}” of {where}"] = None
