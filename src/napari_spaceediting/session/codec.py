"""Frozen dataclasses as values for JSON, and back, by the types of their fields.

`cattrs` does the work; what is told here is what sets a session apart. Arrays become
lists with None for NaN, and images are named by their ids. What a file says beyond the
fields is left out and told, and an impossible setting takes its default. So options
can come and go without a new version of the format, as long as what stays means the
same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from numpy.typing import NDArray

from napari_spaceediting.data.names import text_of
from napari_spaceediting.editing.classes import Made
from napari_spaceediting.editing.edits import Edit
from napari_spaceediting.editing.image_edits import Move
from napari_spaceediting.editing.intervals import Difference
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.errors import EditError, SpaceEditingError
from napari_spaceediting.network.spec import TrainSettings
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.habits import Habits
from napari_spaceediting.session.shelf import DAMAGE
from napari_spaceediting.session.store import Store
from napari_spaceediting.traversal.settings import TraverseSettings

Values = Mapping[str, Any]
Reader = Callable[[Values, Any], Any]
Writer = Callable[[Any], dict[str, Any]]

EDITS = {kind.__name__.lower(): kind for kind in get_args(Edit)}
SETTINGS = TrainSettings, MapSettings, RetrainSettings, TraverseSettings, Habits
_COUNTS = "epochs", "batch_size", "steps", "edit_batch_size", "patience"
"""Settings that nothing comes of at 0."""
_LARGEST, _LARGEST_SEED = 1 << 32, 1 << 63
_ITEMS = {"b": (bool,), "i": (int,), "f": (float, int, type(None))}
"""What the items of an array may be in a file, by the kind of its type."""
_PLAIN = {bool: "truth", int: "whole number", float: "number", str: "text"}


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


class Codec(Converter):
    """Turns dataclasses into values for JSON, and back.

    Parameters
    ----------
    ids : (N,) str array, optional
        Ids of the data set's images, by which edits and answers name theirs.
    left : Leftovers, optional
        Takes what is not known.
    store : Store, optional
        Takes arrays, so that their keys stand for them; without one they become lists.

    Attributes
    ----------
    called : dict of type to str
        What instances are called for the user, such as "a map".
    """

    def __init__(
        self,
        ids: NDArray[np.str_] | None = None,
        left: Leftovers | None = None,
        store: Store | None = None,
    ) -> None:
        super().__init__(detailed_validation=False)
        self.left = Leftovers() if left is None else left
        self.ids = np.empty(0, str) if ids is None else ids
        self.store = store
        self.called: dict[type, str] = {}
        self._index_of: dict[str, int] = {}
        for kind in _PLAIN:
            self.register_structure_hook(kind, _as_it_is)
        self.register_structure_hook_func(_is_literal, _one_of)
        self.register_structure_hook_func(_is_row, self._row)
        read = _array if store is None else partial(_stored, store)
        self.register_structure_hook_func(is_array, read)
        write = _listed if store is None else store.put
        self.register_unstructure_hook_func(is_array, write)
        self.register_structure_hook_factory(is_dataclass, self._reader)
        self.register_unstructure_hook_factory(is_dataclass, self._writer)
        self.register_structure_hook(Edit, self._edit)
        self.register_structure_hook(Difference, lambda v, _: Difference(*v))
        self.register_unstructure_hook(Difference, lambda d: [d.value, d.low, d.high])
        for settings in SETTINGS:
            self.register_structure_hook(settings, self._settings)

    def known(self, values: Values, kind: type, names: set[str]) -> dict[str, Any]:
        """Return the values that have one of these names; remember the rest."""
        where = self.called.get(kind, f"a {kind.__name__.lower()}")
        for name in values:
            if name not in names:
                self.left.unknown(name, where)
        return {name: value for name, value in values.items() if name in names}

    def overrides(self, kind: type) -> dict[str, Any]:
        """Return for fields of a dataclass what its types do not say."""
        if self.store is not None:
            return {}
        signed = {
            name: override(omit_if_default=True)
            for name in names_of(Made)
            if issubclass(kind, Made)
        }
        if "indices" not in names_of(kind):
            return signed
        images = override(
            rename="images",
            unstruct_hook=lambda indices: self.ids[indices].tolist(),
            struct_hook=lambda images, _: self._indices(images),
        )
        special = {"indices": images, **signed}
        if "also" in names_of(kind):
            special["also"] = override(omit_if_default=True)
        if kind is Move:
            special |= dict.fromkeys(("start", "end"), override(struct_hook=_places))
        return special

    def _reader(self, kind: type) -> Reader:
        special = self.overrides(kind)
        read: Reader = make_dict_structure_fn(kind, self, **special)
        names = {
            special[name].rename or name if name in special else name
            for name in names_of(kind)
        }
        return lambda values, _: read(self.known(values, kind, names), kind)

    def _writer(self, kind: type) -> Writer:
        write: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(
            kind, self, **self.overrides(kind)
        )
        start = {"kind": kind.__name__.lower()} if kind in EDITS.values() else {}
        return lambda value: {**start, **write(value)}

    def _edit(self, values: Values, _kind: Any) -> Edit:
        rest = dict(values)
        kind = EDITS.get(rest.pop("kind"))
        if kind is None:
            raise EditError(
                f"'{values['kind']}' is no kind of edit: use one of {', '.join(EDITS)}."
            )
        if kind is Move:
            rest = {"start": rest["end"], **rest}
        edit: Edit = self.structure(rest, kind)
        return edit

    def _row(self, values: Any, kind: Any) -> Any:
        """Build a list or tuple; a text is none of its letters."""
        if not isinstance(values, list | tuple):
            raise TypeError(f"{values!r:.80} is no list")
        row, kinds = get_origin(kind), get_args(kind)
        if row is list or kinds[-1] is Ellipsis:
            kinds = (kinds[0],) * len(values)
        pairs = zip(values, kinds, strict=True)
        return row(self.structure(value, inner) for value, inner in pairs)

    def _indices(self, images: list[str]) -> NDArray[np.int64]:
        if len(self._index_of) != len(self.ids):
            self._index_of = {str(name): at for at, name in enumerate(self.ids)}
        absent = [image for image in images if image not in self._index_of]
        if absent:
            raise EditError(
                f"{len(absent)} of the edited images are not in the data set "
                f"(the first is '{absent[0]}'): check that the edits belong to it."
            )
        return np.array([self._index_of[image] for image in images], np.int64)

    def _settings(self, values: Values, kind: Any) -> Any:
        """Build settings; what is impossible takes its default."""
        found = usual = kind()
        types = get_type_hints(kind)
        for name, value in self.known(values, kind, set(types)).items():
            try:
                wanted = self.structure(value, types[name])
                _check_setting(name, wanted)
                found = replace(found, **{name: wanted})
            except (*DAMAGE, SpaceEditingError):
                self.left.say(
                    f"“{name}” of {self.called[kind]} is {value!r:.80}, which cannot "
                    f"be: {getattr(usual, name)!r} takes its place."
                )
        return found


def edits_from(entries: list[Any], ids: NDArray[np.str_]) -> list[Edit]:
    """Build edits from what a user has written.

    Parameters
    ----------
    entries : list
        An object of JSON for each edit: its "kind", its "images" by their ids and, by
        kind, "end" or "tag".
    ids : (N,) str array
        Ids of the data set's images.

    Raises
    ------
    EditError
        If an image is not in the data set, or an edit cannot be read.
    """
    try:
        return Codec(ids).structure([_with_plain_tag(e) for e in entries], list[Edit])
    except DAMAGE as error:
        raise EditError(
            f"An edit cannot be read ({error}): it needs 'kind', 'images' and, by "
            "kind, 'end' or 'tag'."
        ) from error


def _with_plain_tag(entry: Any) -> Any:
    """Return an entry of the user's with its tag as labels are read elsewhere."""
    tag = entry.get("tag") if isinstance(entry, dict) else None
    return {**entry, "tag": text_of(tag)} if isinstance(tag, str) else entry


def _check_setting(name: str, value: Any) -> None:
    """Refuse numbers that no setting can be; its own check knows no more of some."""
    for each in value if isinstance(value, tuple) else (value,):
        if isinstance(each, int):
            end = _LARGEST_SEED if name == "seed" else _LARGEST
            fits = (name in _COUNTS) <= each < end
        else:
            fits = not isinstance(each, float) or 0 <= each < math.inf
        if not fits:
            raise ValueError(f"{value!r} is no {name}")


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _is_row(kind: Any) -> bool:
    return get_origin(kind) in (list, tuple)


def is_array(kind: Any) -> bool:
    """Whether a type is that of arrays."""
    return kind is np.ndarray or get_origin(kind) is np.ndarray


def _array(values: Any, kind: Any) -> NDArray[Any]:
    """Build an array of the type of a field, None for NaN; nothing is rounded."""
    (dtype,) = get_args(get_args(kind)[1])
    items = _ITEMS[np.dtype(dtype).kind]
    for item in np.array(values, object).flat:
        if type(item) not in items:
            raise TypeError(f"{item!r:.80} is no {np.dtype(dtype)}")
    return np.array(values, dtype)


def _stored(store: Store, key: Any, _: Any) -> NDArray[Any]:
    """Return an array that is stored; one that was read already is itself."""
    return key if isinstance(key, np.ndarray) else store.get(key)


def _places(values: Any, kind: Any) -> NDArray[np.float32]:
    """Build (n, 2) places, of which a single one may be written without brackets."""
    return _array(values, kind).reshape(-1, 2)


def _listed(array: NDArray[Any]) -> list[Any]:
    if array.dtype.kind == "f" and np.isnan(array).any():
        array = array.astype(object)
        array[array != array] = None
    return array.tolist()  # type: ignore[no-any-return]


def _as_it_is(value: Any, kind: Any) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if kind not in _PLAIN:  # an enumeration of texts
        return kind(value)
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {_PLAIN[kind]}")
    return value


def _one_of(value: Any, kind: Any) -> Any:
    if value not in get_args(kind):
        raise ValueError(f"{value!r} is none of {', '.join(get_args(kind))}")
    return value


def names_of(kind: Any) -> list[str]:
    """Return the names of the fields of a dataclass."""
    return [field.name for field in fields(kind)]
