"""Read a table of text, whatever program wrote it: its encoding, its separators."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import Skipped
from napari_spaceediting.errors import DataError, reason_of

if TYPE_CHECKING:
    import pandas as pd

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""What files begin with that say how they are encoded."""
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_NAMED_BY_EXCEL = re.compile(r"sep=(.)\n")
_EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none", "#n/a", "<na>"})
"""What stands for no number, in lower case."""
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+").fullmatch
_TRUTHS = {"true": True, "false": False}


class TextTable(NamedTuple):
    """A table as it stands in its file.

    Parameters
    ----------
    table : DataFrame
        All of it as text, "" where a cell is empty. Rows keep their number, from 1.
    skipped : tuple of Skipped
        Rows that are broken.
    notes : tuple of str
        How the file was understood, if otherwise than by its name.
    """

    table: pd.DataFrame
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


def read_text_table(path: Path, knows: Callable[[Sequence[str]], bool]) -> TextTable:
    """Read a table of text.

    Parameters
    ----------
    path : Path
        The file.
    knows : callable
        Tells whether these names of columns are of use, which decides for a separator.

    Raises
    ------
    DataError
        A quotation mark is never closed.
    """
    import pandas as pd

    text, notes = _text(path)
    named = _NAMED_BY_EXCEL.match(text)
    text = text[named.end() :] if named else text.lstrip("\n")
    separator = named[1] if named else _separator(path, text, knows)
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    if separator != usual and not named:
        by = _SEPARATORS[separator]
        notes = (*notes, f"{path.name} was read as separated by {by}.")
    rows, skipped = _rows(path, text, separator)
    header, lines = (rows[0].cells, rows[1:]) if rows else ([], [])
    width = len(header)
    kept, numbers = [], []
    for number, cells in lines:
        if any(cell.strip() for cell in cells[width:]):
            reason = f"has {len(cells)} cells, but the table {width} columns"
            skipped.append(Skipped(f"row {number}", reason))
        elif any(cell.strip() for cell in cells):
            kept.append([*cells[:width], *[""] * (width - len(cells))])
            numbers.append(number)
    columns = _unique(header)
    table = pd.DataFrame(kept, columns=columns, index=numbers, dtype=object)
    nameless = [c for c, own in zip(columns, header, strict=True) if not own.strip()]
    empty = [name for name in nameless if not table[name].str.strip().any()]
    return TextTable(table.drop(columns=empty), tuple(skipped), notes)


def values_of(texts: Sequence[str]) -> NDArray[Any]:
    """Return a column as numbers or booleans where all of it are, else as text."""
    lower = [text.strip().lower() for text in texts]
    known = [text for text in lower if text not in _EMPTY]
    if not known:
        return np.array(texts, dtype=np.str_)
    if len(known) == len(lower) and set(known) <= set(_TRUTHS):
        return np.array([_TRUTHS[text] for text in known])
    marked = [text for text in known if "," in text]
    if marked and "." not in "".join(known) and not all(map(_THOUSANDS, marked)):
        lower = [text.replace(",", ".") for text in lower]  # a decimal comma
    try:
        numbers = [float("nan") if t in _EMPTY else float(t) for t in lower]
        if "_" in "".join(known):  # of use in programs only
            raise ValueError
    except ValueError:
        return np.array(texts, dtype=np.str_)
    if len(known) == len(lower) and all(
        re.fullmatch(r"[+-]?\d{1,18}", t) for t in lower
    ):
        return np.array([int(text) for text in lower], dtype=np.int64)
    return np.array(numbers)


class _Line(NamedTuple):
    number: int
    cells: list[str]


def _text(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the text of a file, and how it was decoded if one should know."""
    text, notes = _decoded(path, path.read_bytes())
    return text.replace("\r\n", "\n").replace("\r", "\n"), notes


def _decoded(path: Path, raw: bytes) -> tuple[str, tuple[str, ...]]:
    for mark, encoding in _MARKS.items():
        if raw.startswith(mark):
            return raw.decode(encoding), ()
    for start, encoding in enumerate(("utf-16-be", "utf-16-le")):
        half = raw[:2000][start::2]
        if half and 2 * half.count(0) > len(half):  # every other byte of Latin letters
            return raw.decode(encoding), ()
    try:
        return raw.decode("utf-8"), ()
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
        return text, (
            f"{path.name} is not UTF-8 and was read as Windows-1252: if names look "
            f"wrong, save it as UTF-8.",
        )


def _separator(path: Path, text: str, knows: Callable[[Sequence[str]], bool]) -> str:
    """Return what separates the columns: what gives names that are of use."""
    first = text.partition("\n")[0]
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    order = sorted(_SEPARATORS, key=lambda separator: separator != usual)
    headers = {s: next(csv.reader([first], delimiter=s), []) for s in order}
    known = [s for s in order if knows(headers[s])]
    return max(known or order, key=lambda separator: len(headers[separator]))


def _rows(path: Path, text: str, separator: str) -> tuple[list[_Line], list[Skipped]]:
    """Return the rows with cells, and those that are broken; the header is row 0."""
    rows: list[_Line] = []
    skipped: list[Skipped] = []
    reader = csv.reader(
        io.StringIO(text),
        delimiter=separator,
        skipinitialspace=True,
        strict=True,
    )
    number = 0
    for cells in _until_the_end(reader):
        if isinstance(cells, csv.Error):
            if "unexpected end" in str(cells):
                raise DataError(
                    f"A quotation mark in row {number} of {path.name} or below is "
                    f"never closed: close it or remove it."
                )
            skipped.append(Skipped(f"row {number}", f"is broken ({reason_of(cells)})"))
        elif cells:
            rows.append(_Line(number, cells))
        else:
            continue
        number += 1
    return rows, skipped


def _until_the_end(reader: Iterator[list[str]]) -> Iterator[list[str] | csv.Error]:
    """Yield what a reader returns, and what it raises."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield error


def _unique(names: Sequence[str]) -> list[str]:
    """Return names of columns without blanks around them, none of them twice."""
    found: dict[str, None] = {}
    for at, own in enumerate(names, 1):
        name = own.strip() or f"column {at}"
        again = (f"{name}.{number}" for number in range(1, len(names) + 1))
        found[
            name if name not in found else next(n for n in again if n not in found)
        ] = None
    return list(found)
