"""How names are read: one label is one class, whoever wrote it and however."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

_WHOLE = re.compile(r"([+-]?\d+)(?:[.,]0*)?", re.ASCII)
_DIGITS = re.compile(r"(\d+)", re.ASCII)


def text_of(value: Any) -> str:
    """Return a label or a name as text: without blanks around it, in composed Unicode.

    Parameters
    ----------
    value : object
        Bytes are decoded; what Python has no text for is written out.
    """
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            value = value.decode("cp1252", "replace")
    return unicodedata.normalize("NFC", str(value)).strip("\0").strip()


def without_zeros(labels: Sequence[str]) -> list[str]:
    """Return labels such as `1` for `1.0`, if all of them are whole numbers.

    A column of numbers becomes one of fractions as soon as a label is missing.
    """
    found = [_WHOLE.fullmatch(label) for label in labels]
    if all(match or not label for match, label in zip(found, labels, strict=True)):
        return [match[1] if match else "" for match in found]
    return list(labels)


def natural_order(name: str) -> tuple[list[tuple[int, str] | str], str]:
    """Sort key that puts `class 2` before `class 10`; no two names have the same."""
    parts: list[tuple[int, str] | str] = []
    for at, part in enumerate(_DIGITS.split(name.casefold())):
        # Digits compare as numbers do, however many there are.
        digits = part.lstrip("0")
        parts.append((len(digits), digits) if at % 2 else part)
    return parts, name


def readable(path: str) -> str:
    r"""Return the text of a path; bytes in it that are none are written as `\xe9`."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    return path


def shortened(text: str, longest: int = 80) -> str:
    """Return a text that fits into a sentence."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def listed(names: Sequence[str], shown: int = 3) -> str:
    """Return such as "cat, dog, fox and 12 more"."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(shortened(name) for name in names[:shown]) + more
