"""How names are read: one label is one class, whoever wrote it and however."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from napari_spaceediting.wording import quoted

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


def plain_labels(labels: Sequence[str]) -> tuple[list[str], int]:
    """Return labels as they are meant if all of them are whole numbers.

    Parameters
    ----------
    labels : sequence of str
        "" for none.

    Returns
    -------
    list of str
        Without `.0`, which a column of numbers gets as soon as one is missing; those
        below 0 are none, unless -1 and 1 are all there is.
    int
        How many are none because they are below 0.
    """
    known = {label for label in labels if label}
    found = {label: _WHOLE.fullmatch(label) for label in known}
    if not all(found.values()):
        return list(labels), 0
    plain = {label: match[1] for label, match in found.items() if match}
    if set(plain.values()) != {"-1", "1"}:
        plain = {label: text * (text[0] != "-") for label, text in plain.items()}
    result = [plain.get(label, "") for label in labels]
    return result, sum(
        bool(old) and not new for old, new in zip(labels, result, strict=True)
    )


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
    return ", ".join(quoted(shortened(name)) for name in names[:shown]) + more
