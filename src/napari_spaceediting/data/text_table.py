"""Read a table of cells, whatever program wrote it: its encoding, its separators."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import Skipped
from napari_spaceediting.data.meaning import Unfit
from napari_spaceediting.errors import DataError, reason_of

if TYPE_CHECKING:
    import pandas as pd

EXCEL_SUFFIXES = frozenset({".xlsx", ".xlsm"})

Knows = Callable[[Sequence[str]], bool]
"""Tells whether these names of columns are of use."""

_MOST_TITLES = 10
"""Rows, among which the names of columns must be."""
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
    notes : tuple of str
        How the file was understood, if otherwise than by its name.
    """

    table: pd.DataFrame
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


def read_text_table(path: Path, knows: Knows) -> TextTable:
    """Read a table of text.

    Parameters
    ----------
    knows : callable
        Tells whether these names of columns are of use, which decides for a separator,
        a sheet, and the row that has them.

    Raises
    ------
    DataError
        A quotation mark is never closed.
    """
    import pandas as pd

    read = _sheet if path.suffix.lower() in EXCEL_SUFFIXES else _lines
    rows, numbers, skipped, notes = read(path, knows)
    at = _header_at(rows, knows)
    if at:
        above = f"{at} rows" if at > 1 else "The row"
        notes.append(f"{above} above the names of the columns of {path.name} left out.")
    header = rows[at] if rows else []
    first, width = (numbers[at] if rows else 0), len(header)
    kept, known = [], []
    for number, cells in zip(numbers[at + 1 :], rows[at + 1 :], strict=True):
        if len(cells) > width and "".join(cells[width:]).strip():
            reason = f"has {len(cells)} cells, but the table {width} columns"
            skipped.append(Skipped(f"row {number - first}", reason))
        elif "".join(cells).strip():
            missing = [""] * (width - len(cells))
            kept.append(cells if len(cells) == width else [*cells[:width], *missing])
            known.append(number - first)
    columns = _unique(header)
    table = pd.DataFrame(kept, columns=columns, index=known, dtype=object)
    nameless = [c for c, own in zip(columns, header, strict=True) if not own.strip()]
    empty = [name for name in nameless if not table[name].str.strip().any()]
    return TextTable(table.drop(columns=empty), tuple(skipped), tuple(notes))


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


class _Cells(NamedTuple):
    """The rows of a file that have cells, their numbers, and what is to be told."""

    rows: list[list[str]]
    numbers: list[int]
    skipped: list[Skipped]
    notes: list[str]


def _header_at(rows: Sequence[Sequence[str]], knows: Knows) -> int:
    """Return the row with names of columns; above it a title or two may stand."""
    for at, cells in enumerate(rows[:_MOST_TITLES]):
        if knows(cells):
            return at
        if sum(bool(cell.strip()) for cell in cells) > 1:
            break
    return 0


def _sheet(path: Path, knows: Knows) -> _Cells:
    """Return the rows with cells of the first sheet of Excel that is of use."""
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise Unfit(
            "is a table of Excel: save it as CSV, or install what reads it with "
            'pip install "napari-spaceediting[excel]"'
        ) from None
    book = load_workbook(path, read_only=True, data_only=True)
    sheets: dict[str, list[list[str]]] = {}
    for sheet in book.worksheets:
        cells = (map(_text_of, row) for row in sheet.iter_rows(values_only=True))
        if rows := [row for row in map(list, cells) if any(row)]:
            sheets[sheet.title] = rows
    book.close()
    useful = (n for n, rows in sheets.items() if knows(rows[_header_at(rows, knows)]))
    name = next(useful, next(iter(sheets), ""))
    more = f"The sheet {name!r} of {path.name} was read, and none of the others."
    rows = sheets.get(name, [])
    return _Cells(rows, [*range(len(rows))], [], [more] * (len(sheets) > 1))


def _text_of(cell: object) -> str:
    """Return what a cell of Excel says; a whole number has no point."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else str(cell).strip()


def _lines(path: Path, knows: Knows) -> _Cells:
    """Return the rows with cells of a table of text, and those that are broken."""
    text, notes = _decoded(path, path.read_bytes())
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    named = _NAMED_BY_EXCEL.match(text)
    text = text[named.end() :] if named else text.lstrip("\n")
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    separator = named[1] if named else _separator(usual, text, knows)
    if separator != usual and not named:
        notes.append(f"{path.name} was read as separated by {_SEPARATORS[separator]}.")
    found = _Cells([], [], [], notes)
    number = 0
    for cells in _until_the_end(_reader(text, separator)):
        if isinstance(cells, csv.Error):
            if "unexpected end" in str(cells):
                raise DataError(
                    f"A quotation mark in row {number} of {path.name} or below is "
                    f"never closed: close it or remove it."
                )
            reason = f"is broken ({reason_of(cells)})"
            found.skipped.append(Skipped(f"row {number}", reason))
        elif cells:
            found.rows.append(cells)
            found.numbers.append(number)
        else:
            continue
        number += 1
    return found


def _reader(text: str, separator: str) -> Iterator[list[str]]:
    lines = io.StringIO(text)
    return csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)


def _decoded(path: Path, raw: bytes) -> tuple[str, list[str]]:
    """Return the text of a file, and how it was decoded if one should know."""
    for mark, encoding in _MARKS.items():
        if raw.startswith(mark):
            return raw.decode(encoding), []
    for start, encoding in enumerate(("utf-16-be", "utf-16-le")):
        half = raw[:2000][start::2]
        if half and 2 * half.count(0) > len(half):  # every other byte of Latin letters
            return raw.decode(encoding), []
    try:
        return raw.decode("utf-8"), []
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
        return text, [
            f"{path.name} is not UTF-8 and was read as Windows-1252: if names look "
            f"wrong, save it as UTF-8."
        ]


def _separator(usual: str, text: str, knows: Knows) -> str:
    """Return what separates the columns: what gives names that are of use."""
    order = sorted(_SEPARATORS, key=lambda separator: separator != usual)
    headers: dict[str, list[str]] = {}
    for separator in order:
        found = _until_the_end(_reader(text, separator))
        rows = [r for r in islice(found, _MOST_TITLES) if r and isinstance(r, list)]
        headers[separator] = rows[_header_at(rows, knows)] if rows else []
    known = [s for s in order if knows(headers[s])]
    return max(known or order, key=lambda separator: len(headers[separator]))


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
