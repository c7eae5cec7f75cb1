"""Words that everything which is told has in common."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return such as "1 class" or "2,000 images"."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def quoted(name: str) -> str:
    """Return a name for a sentence: in quotes if one could take it for several."""
    return f"“{name}”" if {*name} & {*",;:"} else name
