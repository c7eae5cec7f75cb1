"""Which images a condition on their columns means, or some words."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import QueryError

Columns = Mapping[str, NDArray[Any]]
Mask = NDArray[np.bool_]

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_SIGNS = re.compile(r"[<>=!]")
_QUOTED = re.compile(r"`([^`]*)`")
_DATE = re.compile(r"\d{4}-\d{2}(-\d{2}|$)")
_TOO_DEEP = "The condition is too deep, or a number too large."
_LISTED = 12
"""Columns that are named at most where one is not known."""
_ALLOWED = (
    "A condition has columns, numbers, texts in quotes, == != < <= > >= in, and, or, "
    "not, and brackets"
)


def matching(columns: Columns, text: str) -> NDArray[np.int64]:
    """Return the images that a condition means, or all that have some words in a text.

    Parameters
    ----------
    columns : mapping of str to (N,) array
        Numbers, texts or truths; a masked array has gaps. A value that is missing
        meets no condition.
    text : str
        ``date > 2024 and plate == "B3"``, ``label in ["coat", "shirt"]``,
        ``"blue" in name``, ``not rejected``; the name of a column with blanks stands
        in backticks. Texts that are dates (2024-05-31) can be compared with a year.
        Anything else is words, each of which is looked for in all texts of an image.
        Nothing of it is ever run.

    Returns
    -------
    (n,) int64 array
        Rows, ascending.

    Raises
    ------
    QueryError
        If it cannot be read, names a column that is not there, or compares a text with
        a number.
    """
    condition = _Condition(columns)
    node = condition.parse(text)
    if node is None:
        return np.flatnonzero(_with_words(columns, text.split()))
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return np.flatnonzero(_with_words(columns, [node.value]))
    try:
        return np.flatnonzero(condition.truth(node))
    except (RecursionError, OverflowError) as error:
        raise QueryError(_TOO_DEEP) from error


def is_dated(values: NDArray[Any]) -> bool:
    """Whether all texts of a column are dates that begin as 2024-05, or empty."""
    if values.dtype.kind not in "OU" or not len(values):
        return False
    said = {text for text in values.astype(str).tolist() if text}
    return bool(said) and all(map(_DATE.match, said))


def _with_words(columns: Columns, words: list[str]) -> Mask:
    texts = [
        np.char.lower(values.astype(str))
        for values in columns.values()
        if values.dtype.kind in "OU"
    ]
    n = len(next(iter(columns.values()), ()))
    found = np.full(n, bool(words))
    for word in words:
        has_it = np.zeros(n, bool)
        for each in texts:
            has_it |= np.char.find(each, word.lower()) >= 0
        found &= has_it
    return found


class _Condition:
    """Reads conditions on columns, and says where they hold."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._quoted: dict[str, str] = {}

    def parse(self, text: str) -> ast.expr | None:
        """Return a condition as a tree, or None where the text is words."""
        # A backslash means nothing but itself, as in a path.
        plain = _QUOTED.sub(self._take, text.strip()).replace("\\", "\\\\")
        try:
            node = ast.parse(plain, mode="eval").body
        except (RecursionError, MemoryError) as error:
            raise QueryError(_TOO_DEEP) from error
        except (SyntaxError, ValueError) as error:
            if not (_SIGNS.search(plain) or self._quoted):
                return None
            hint = "a piece is missing or too many"
            if re.search(r"(?<![<>=!])=(?!=)", plain):
                hint = "write == to compare"
            raise QueryError(f"The condition cannot be read: {hint}.") from error
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node
        parts = [*ast.walk(node)]
        names = [each.id for each in parts if isinstance(each, ast.Name)]
        compares = any(isinstance(each, ast.Compare) for each in parts)
        is_condition = names and all(self._known(name) for name in names)
        return node if compares or is_condition else None

    def truth(self, node: ast.expr) -> Mask:
        """Return where a condition holds.

        Raises
        ------
        QueryError
            As `matching`.
        """
        if isinstance(node, ast.BoolOp):
            is_and = isinstance(node.op, ast.And)
            parts = [self.truth(each) for each in node.values]
            combine = np.logical_and if is_and else np.logical_or
            return np.asarray(combine.reduce(parts), bool)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self.truth(node.operand)
        if isinstance(node, ast.Name):
            name, values = self._column(node)
            if values.dtype.kind != "b":
                raise QueryError(
                    f"Say what {name} is to be, such as {_sample(name, values)}."
                )
            return values
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            pairs = zip(sides, node.ops, sides[1:], strict=False)
            found = [self._compared(*pair) for pair in pairs]
            return np.asarray(np.logical_and.reduce(found), bool)
        raise _cannot_be(node)

    def _compared(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> Mask:
        if isinstance(sign, ast.In | ast.NotIn):
            found = self._within(left, right)
            return ~found if isinstance(sign, ast.NotIn) else found
        compare = _COMPARISONS.get(type(sign))
        named = [each for each in (left, right) if isinstance(each, ast.Name)]
        if compare is None or not named:
            raise _cannot_be(left if compare else right)
        columns = [self._column(each) for each in named]
        if len(columns) == 2:
            (one, ours), (other, theirs) = columns
            if (ours.dtype.kind in "OU") != (theirs.dtype.kind in "OU"):
                raise QueryError(f"{one} and {other} are not both texts, or numbers.")
            return _where(compare(_plain(ours), _plain(theirs)), ours, theirs)
        value = _constant(right if named[0] is left else left)
        ours = self._suited(*columns[0], value)
        found = compare(ours, value) if named[0] is left else compare(value, ours)
        return _where(found, ours, columns[0][1])

    def _within(self, left: ast.expr, right: ast.expr) -> Mask:
        """Return where a column is one of some values, or has a text in it."""
        if isinstance(right, ast.Name) and isinstance(left, ast.Constant):
            name, values = self._column(right)
            part = _constant(left)
            if not isinstance(part, str) or values.dtype.kind not in "OU":
                raise QueryError(f"Only a text can be in {name}, if it holds texts.")
            texts = np.char.lower(values.astype(str))
            return np.asarray(np.char.find(texts, part.lower()) >= 0)
        if isinstance(left, ast.Name) and isinstance(right, ast.List | ast.Tuple):
            name, values = self._column(left)
            found = np.zeros(len(values), bool)
            for value in map(_constant, right.elts):
                ours = self._suited(name, values, value)
                found |= _where(ours == value, ours, values)
            return found
        raise QueryError('Write in as label in ["A", "B"], or "part" in label.')

    def _suited(self, name: str, values: NDArray[Any], value: Any) -> NDArray[Any]:
        """Return the values of a column as they can be compared with one."""
        is_text = values.dtype.kind in "OU"
        if is_text and not isinstance(value, str):
            if isinstance(value, int) and is_dated(values):
                years = [int(text[:4]) if text else np.nan for text in values.tolist()]
                return np.array(years, float)
            raise QueryError(
                f"{name} holds texts: write {value!r} in quotes, such as "
                f"{_sample(name, values)}."
            )
        if not is_text and isinstance(value, str):
            raise QueryError(
                f"{name} holds numbers: write {value!r} as one, without quotes."
            )
        return _plain(values)

    def _column(self, node: ast.Name) -> tuple[str, NDArray[Any]]:
        known = self._known(node.id)
        if known:
            return known, self._columns[known]
        name = self._meant(node.id)
        usual = [each for each in self._columns if not each.startswith("probability_")]
        near = get_close_matches(name, self._columns, n=3) or usual[:_LISTED]
        raise QueryError(
            f"There is no column {name}: there are {', '.join(near)}"
            f"{'' if len(near) == len(self._columns) else ' and others'}. Texts stand "
            "in quotes."
        )

    def _known(self, identifier: str) -> str:
        """Return the column that is meant, "" for none; case counts if it must."""
        name = self._meant(identifier)
        if name in self._columns:
            return name
        same = [each for each in self._columns if each.casefold() == name.casefold()]
        return same[0] if len(same) == 1 else ""

    def _meant(self, identifier: str) -> str:
        return self._quoted.get(identifier, identifier)

    def _take(self, match: re.Match[str]) -> str:
        """Put an identifier in the place of what stands in backticks."""
        place = f"__quoted_{len(self._quoted)}"
        self._quoted[place] = match[1]
        return place


def _constant(node: ast.expr) -> Any:
    """Return a number, a text or a truth."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _constant(node.operand)
        if not isinstance(value, str):
            return -value
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float):
        return node.value
    raise _cannot_be(node)


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Return texts as an array of texts, all else as it is."""
    return values.astype(str) if values.dtype.kind in "OU" else values


def _where(found: Any, *columns: NDArray[Any]) -> Mask:
    """Return a mask that is False where a value is missing."""
    mask = np.array(np.ma.filled(found, False), bool)
    for values in columns:
        if values.dtype.kind == "f":
            mask &= ~np.isnan(np.ma.filled(values, np.nan))
    return mask


def _sample(name: str, values: NDArray[Any]) -> str:
    """Return a condition on a column that can be written."""
    shown = name if name.isidentifier() else f"`{name}`"
    first = next((value for value in values.tolist() if value not in ("", None)), 1)
    return f"{shown} == {first!r}" if isinstance(first, str) else f"{shown} > {first}"


def _cannot_be(node: ast.expr) -> QueryError:
    return QueryError(f"{_ALLOWED}: leave “{ast.unparse(node)[:60]}” out.")
