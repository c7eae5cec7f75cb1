"""What ``session.json`` says of a whole session, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, get_type_hints

import numpy as np
from cattrs.gen import make_dict_unstructure_fn, override
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import UNLABELLED, ImageDataset, Skipped
from napari_spaceediting.data.filed import Filed
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.looks import ChannelLook, Look
from napari_spaceediting.data.pixels import PixelSource
from napari_spaceediting.editing.answers import Answer, ProposalKind
from napari_spaceediting.editing.axis import Axis
from napari_spaceediting.editing.edits import Edit, EditLog
from napari_spaceediting.editing.evidence import Evidence
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.network.spec import (
    ClassifierSpec,
    Predictions,
    State,
    TrainSettings,
)
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.axes import KeptAxis
from napari_spaceediting.session.codec import (
    EDITS,
    SETTINGS,
    Codec,
    Leftovers,
    Reader,
    Values,
    Writer,
    is_array,
    names_of,
)
from napari_spaceediting.session.habits import Habits
from napari_spaceediting.session.pixels import pixels_from_values, pixels_to_values
from napari_spaceediting.session.shelf import Damaged
from napari_spaceediting.session.state import (
    Checkpoint,
    DamagedCheckpoint,
    Map,
    Network,
    Round,
    RoundStatus,
    SessionState,
)
from napari_spaceediting.session.store import Store
from napari_spaceediting.session.traversals import (
    KeptTraversal,
    Outcome,
    StoredTraversal,
    outcome_values,
)
from napari_spaceediting.session.validity import check_checkpoint
from napari_spaceediting.session.versions import brought_up
from napari_spaceediting.traversal.result import Asked


class IndexCodec(Codec):
    """Turns a whole session into values and back, its arrays and weights into files.

    Edits, answers and evidence stay readable for people: their arrays are lists.
    """

    def __init__(
        self,
        store: Store,
        left: Leftovers | None = None,
        ids: NDArray[np.str_] | None = None,
    ) -> None:
        super().__init__(left=left, store=store)
        self._files = store
        self.called |= _CALLED
        self.plain = Codec(ids, self.left)
        self.plain.called = self.called
        self._checkpoints: dict[str, Checkpoint] = {}
        self._n_rounds = 0
        self._file = ""
        self._needed: set[int] = set()
        self._needed_keys: set[str] = set()
        self._is_past = False
        read, write = self.register_structure_hook, self.register_unstructure_hook
        for kind in (Edit, *EDITS.values(), Answer, Evidence, Asked):
            read(kind, self.plain.structure)
            write(kind, self.plain.unstructure)
        read(Skipped, lambda entry, _: Skipped(*entry))
        write(Skipped, lambda skipped: [skipped.name, skipped.reason])
        read(PixelSource, lambda values, _: pixels_from_values(values, store))
        read(Outcome, lambda values, _: Outcome(StoredTraversal.of(store, values)))
        write(Outcome, lambda outcome: outcome_values(outcome, store))

    def known(self, values: Values, kind: type, names: set[str]) -> dict[str, Any]:
        """Return the values that are known; but for settings, all must be there."""
        missing = names - values.keys() - _LATER
        if kind not in SETTINGS and missing:
            raise KeyError(*missing)
        return super().known(values, kind, names)

    def overrides(self, kind: type) -> dict[str, Any]:
        """Name weights by their digest."""
        store = self._files
        if kind is ImageDataset:
            return {"pixels": override(unstruct_hook=lambda _: None)}
        if kind is Network:
            return {
                "state": override(
                    rename="weights",
                    unstruct_hook=self._weights,
                    struct_hook=lambda key, _: store.get_weights(
                        key, is_needed=key in self._needed_keys
                    ),
                )
            }
        if kind is KeptTraversal:
            return {
                "weights": override(
                    rename="network",
                    unstruct_hook=store.key_of,
                    struct_hook=lambda key, _: store.weights_of(key),
                )
            }
        if kind is Round:
            return {"losses": override(struct_hook=self._losses)}
        return super().overrides(kind)

    def _reader(self, kind: type) -> Reader:
        read = super()._reader(kind)
        if kind in _FLAT:
            return lambda values, _: read(_nested(values, *_FLAT[kind]), kind)
        if kind is SessionState:
            return lambda values, _: self._state(values)
        if kind is Checkpoint:
            return lambda values, _: self._checkpoint(values, read)
        if kind is Round:
            return lambda values, _: self._round(values, read)
        return read

    def _writer(self, kind: type) -> Writer:
        write = (
            self._without_arrays(kind)
            if issubclass(kind, Filed)
            else super()._writer(kind)
        )
        if kind in _FLAT:
            return lambda value: _flat(write(value), _FLAT[kind][0])
        if kind is SessionState:
            return lambda state: self._from_state(state, write)
        if issubclass(kind, Checkpoint):
            return lambda found: self._from_checkpoint(found, write)
        if kind is ImageDataset:
            return lambda dataset: {
                **write(dataset),
                "pixels": pixels_to_values(dataset, self._files),
            }
        return write

    def _without_arrays(self, kind: type) -> Writer:
        """Write the names of arrays, which themselves lie in the checkpoint's file."""
        names = _arrays_in(kind)
        special = {**self.overrides(kind), **dict.fromkeys(names, override(omit=True))}
        write: Writer = make_dict_unstructure_fn(kind, self, **special)
        return lambda value: (
            write(value) | {name: f"{self._file}/{name}" for name in names}
        )

    def _from_checkpoint(self, found: Checkpoint, write: Writer) -> dict[str, Any]:
        if isinstance(found, DamagedCheckpoint):
            return self._as_it_was(found)
        self._file = self._files.put_checkpoint(found)
        return write(found)

    def _state(self, values: Values) -> SessionState:
        types = get_type_hints(SessionState)
        values = self.known(values, SessionState, set(types))
        self._needed_keys = _standing_weights(values)
        fields = {}
        # In this order: ids name images, and networks of checkpoints made traversals.
        for name in names_of(SessionState):
            fields[name] = self.structure(values[name], types[name])
            if name == "dataset":
                self.plain.ids = fields[name].ids
        return SessionState(**fields)

    def _from_state(self, state: SessionState, write: Writer) -> dict[str, Any]:
        self._needed = set(map(id, weights_of(state.standing)))
        return write(state)

    def _weights(self, weights: State) -> str:
        """Write weights that may be needed again, and name the others only."""
        is_needed = id(weights) in self._needed
        files = self._files
        return (files.put_weights if is_needed else files.name_weights)(weights)

    def _checkpoint(self, values: Values, read: Reader) -> Checkpoint:
        """Return a checkpoint; the same object for the same values.

        One that is only looked back at may be damaged.
        """
        key = json.dumps(values)
        if key not in self._checkpoints:
            n = len(self.plain.ids)
            try:
                found = read(values, Checkpoint)
                check_checkpoint(found, n, self.called.get(Round, "the checkpoint"))
                self._take_file(found, values)
            except (Damaged, PermissionError) as error:
                if not self._is_past:
                    raise
                if values["network"] is not None:
                    # A traversal may be of it.
                    with suppress(Damaged):
                        self._files.get_weights(values["network"]["weights"])
                nothing = np.full(n, UNLABELLED), np.zeros(n, bool)
                found = DamagedCheckpoint(
                    (), *nothing, damage=str(error), values=values, store=self._files
                )
            self._checkpoints[key] = found
        return self._checkpoints[key]

    def _take_file(self, found: Checkpoint, values: Values) -> None:
        """Know the file of a checkpoint; what is looked back at is read when shown.

        Before version 5 each array had its own.
        """
        keys = _keys_of(values)
        file = keys["labels"].partition("/")[0]
        if all(key == f"{file}/{name}" for name, key in keys.items()):
            self._files.know(found, file)
            if self._is_past:
                self._files.let_go([found], ())

    def _as_it_was(self, gone: DamagedCheckpoint) -> dict[str, Any]:
        """Return what was saved of a damaged checkpoint, and keep its files."""
        values, files = gone.values, self._files
        for key in _keys_of(values).values():
            with suppress(Damaged):
                files.keep(key, gone.store)
        if values["network"] is not None:
            with suppress(Damaged):
                files.keep_weights(values["network"]["weights"], gone.store)
        return dict(values)

    def _losses(self, key: str, _: Any) -> NDArray[np.float32]:
        """Return the losses of a round; nothing needs those of an older one."""
        try:
            return self._files.get(key)
        except (Damaged, PermissionError) as error:
            if not self._is_past:
                raise
            self.left.say(f"The losses of {self.called[Round]} are left out: {error}.")
            return np.empty(0, np.float32)

    def _round(self, values: Values, read: Reader) -> Round:
        self._n_rounds += 1
        name = f"round {self._n_rounds}"
        its_own = {Evidence: f"the evidence of {name}", RetrainSettings: name}
        self.called |= {Round: name, **its_own}
        self._is_past = values["status"] != RoundStatus.PROPOSED
        found: Round = read(values, Round)
        self.called |= _CALLED
        del self.called[Round]
        if found.damage:
            self.left.say(
                f"{name.capitalize()} is damaged ({found.damage}): its maps cannot be "
                "shown, and it cannot be gone back to; restore it from a copy."
            )
        return found


_CALLED = {
    SessionState: "the session",
    ImageDataset: "the data set",
    IntensityScaling: "the intensity scaling",
    ClassifierSpec: "a network",
    EditLog: "the list of edits",
    KeptTraversal: "a traversal",
    KeptAxis: "an axis",
    Axis: "an axis",
    **dict.fromkeys(EDITS.values(), "an edit"),
    Answer: "an answer",
    TrainSettings: "the training",
    MapSettings: "the map",
    RetrainSettings: "the next round",
    Habits: "the habits",
    Look: "how images are shown",
    ChannelLook: "how a channel is shown",
}

_LATER = {
    "soft_labels",
    "mirror",
    "layout",
    "knows_labels",
    "rejected",
    "came",
    "traits",
    "others",
    "features",
}
"""Fields that sessions of this version need not have."""

_FLAT = {Network: ("predictions", Predictions), KeptTraversal: ("asked", Asked)}
"""Fields whose own fields are written in their place."""


def _arrays_in(kind: type) -> list[str]:
    """Return the names of the arrays among the fields of a dataclass."""
    types = get_type_hints(kind)
    return [name for name in names_of(kind) if is_array(types[name])]


def _keys_of(values: Values) -> dict[str, str]:
    """Return the keys of the arrays of a checkpoint by their names."""
    parts = values, values["network"] or {}, values["map"] or {}
    return {name: part[name] for part in parts for name in part if name in _ARRAYS}


_ARRAYS = {
    name
    for kind in (Checkpoint, Network, Predictions, Map)
    for name in _arrays_in(kind)
}


def _nested(values: Values, name: str, inner: type) -> Values:
    rest = dict(values)
    return {name: {each: rest.pop(each) for each in names_of(inner)}, **rest}


def _flat(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {**values.pop(name), **values}


def read_values(values: Any, left: Leftovers) -> Values:
    """Return what ``session.json`` says, as the present version would say it."""
    values = _without_unknown_answers(brought_up(values, left.say), left)
    return {name: value for name, value in values.items() if name != "version"}


def _without_unknown_answers(values: Values, left: Leftovers) -> dict[str, Any]:
    """Leave out answers to what can no longer be proposed."""
    kinds = {kind.value for kind in ProposalKind}
    answers = values["answers"]
    for kind in {answer["kind"] for answer in answers} - kinds:
        left.say(
            f"Answers to proposals of the kind “{kind}” are left out, as this "
            "version has none."
        )
    known = [answer for answer in answers if answer["kind"] in kinds]
    return {**values, "answers": known}


def _standing_weights(values: Values) -> set[str]:
    """Return the keys of weights that a session can go on from or come back to."""
    gone = RoundStatus.ROLLED_BACK
    rounds = [past for past in values["rounds"] if past["status"] != gone]
    ends = [end for past in rounds for end in (past["before"], past["after"])]
    networks = [end["network"] for end in (values["checkpoint"], *ends)]
    return {network["weights"] for network in networks if network is not None}


def weights_of(checkpoints: Iterable[Checkpoint]) -> list[State]:
    """Return the weights of the networks of checkpoints."""
    networks = (checkpoint.network for checkpoint in checkpoints)
    return [network.state for network in networks if network is not None]
