"""The map: what it shows, hovering, selecting, dragging and naming."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, QRect, QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QWidget

from napari_spaceediting.data.dataset import UNLABELLED
from napari_spaceediting.editing.edits import Edit, Intent, Move, Pin, Relabel
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.map import display
from napari_spaceediting.plugin.map.gestures import Tool
from napari_spaceediting.plugin.map.overlay import Arrows
from napari_spaceediting.plugin.map.panel import LEAST_SURE
from napari_spaceediting.plugin.map.question import ClassChoice, ClassPicker
from napari_spaceediting.plugin.map.view import Cloud, MapView
from napari_spaceediting.plugin.space_editor import SpaceEditor
from napari_spaceediting.plugin.state import Desk, complain, warn
from napari_spaceediting.plugin.widgets.hover_card import HoverCard
from napari_spaceediting.plugin.widgets.palette import Palette, class_colours
from napari_spaceediting.projection.pca import pca_map
from napari_spaceediting.session.session import Session

if TYPE_CHECKING:
    from napari.layers import Points

_DWELL_MS = 120
"""Milliseconds that the pointer rests on a point before its picture is shown."""
_ASKED_WHILE_DRAGGING = 10
_NEIGHBOURS = 10
_PREVIEW = "A map of the pixels, until the network has learnt from them"
_VICINITY = 40
"""Images that are shown with a single one."""


@dataclass(frozen=True, eq=False)
class _Question:
    """What the class picker asks.

    Parameters
    ----------
    title : str
        Such as "Move 12 images: these are …".
    images : (n,) int64 array
        About which images.
    start, places : (n, 2) float32 arrays
        Where they lie on the map, and where they would.
    pointer : QPoint
        Where on the screen it is asked.
    answer : callable
        Takes what the user chose.
    allow_none : bool
        Whether "no class" is an answer.
    """

    title: str
    images: NDArray[np.int64]
    start: NDArray[np.float32]
    places: NDArray[np.float32]
    pointer: QPoint
    answer: Callable[[ClassChoice], None]
    allow_none: bool


class MapController:
    """Connects the map with the session.

    Parameters
    ----------
    desk : Desk
        What the controllers share.
    editor : SpaceEditor
        Its map and edits panels belong to this controller, too.
    take_layer : callable
        Is given every layer of napari's that is made for the map.
    """

    def __init__(
        self, desk: Desk, editor: SpaceEditor, take_layer: Callable[[Points], None]
    ) -> None:
        self._desk = desk
        self._editor = editor
        self._take_layer = take_layer
        self._canvas: QWidget | None = None
        self.view: MapView | None = None
        self.card: HoverCard | None = None
        self.picker = ClassPicker(desk.palette)
        self.colour_key = display.LABEL
        self._hidden_groups: set[int] = set()
        self._legend: tuple[str, ...] = ()
        self._colouring: display.Colouring | None = None
        self._question: _Question | None = None
        self._put_off: _Question | None = None
        self._hovered = -1
        self._dwell = QTimer()
        self._dwell.setSingleShot(True)
        self._dwell.setInterval(_DWELL_MS)
        self._dwell.timeout.connect(self._show_card)
        self._card_place = QPoint()
        self.picker.confirmed.connect(self._on_choice)
        self.picker.dismissed.connect(self._on_dismissed)
        self.picker.change_requested.connect(self._on_change_requested)
        panel = editor.map
        panel.tool_changed.connect(self.set_tool)
        panel.colour_by_changed.connect(self.colour_by)
        panel.thumbnails_toggled.connect(self._on_thumbnails)
        panel.held_out_toggled.connect(self._on_held_out)
        panel.select_requested.connect(self.select_like)
        panel.class_toggled.connect(self._on_legend)
        panel.class_isolated.connect(self._on_legend)
        panel.class_selected.connect(self._select_group)
        desk.opening.connect(self._prepare)
        desk.session_changed.connect(self._on_session)
        desk.images_changed.connect(self._on_images)
        desk.shown_changed.connect(self.refresh)
        desk.edits_changed.connect(self.refresh)
        desk.edits_changed.connect(self._check_put_off)
        desk.past_changed.connect(self.refresh)
        for signal in (desk.session_changed, desk.shown_changed, desk.past_changed):
            signal.connect(self.put_back)
        desk.thumbnails_changed.connect(self._on_pictures)
        desk.selection_changed.connect(self._on_selection)
        desk.theme_changed.connect(self.set_theme)

    # What is shown

    def set_canvas(self, canvas: QWidget) -> None:
        """Take napari's drawing surface, as soon as it is known."""
        self._canvas = canvas
        self._dwell.setParent(canvas)
        self.refresh()

    def _prepare(self) -> None:
        if self._canvas is not None:
            self._make_view(self._canvas).prepare()

    def refresh(self) -> None:
        """Show the session as it is now."""
        session = self._desk.session
        if session is None or self._canvas is None:
            return
        if not self._desk.has_map:
            if self.view is not None:
                self.view.show_nothing()
            self._preview()
            return
        view = self._make_view(self._canvas)
        view.is_open = True
        if self._desk.viewer.status == _PREVIEW:
            self._desk.viewer.status = "Ready"
        edits, shown, past = self._desk.edits, self._desk.shown, self._desk.past
        drawn = shown.map
        assert drawn is not None
        view.look_back(past.title if past else "", past.refusal if past else "")
        colouring = display.colour_by(self.colour_key, session.dataset, shown, edits)
        self._colouring = colouring
        hidden = np.isin(colouring.groups, list(self._hidden_groups))
        view.show_cloud(
            Cloud(edits.positions, colouring.colours, session.dataset.held_out, hidden)
        )
        arrows, marks = display.edit_marks(edits, drawn.coordinates)
        view.show_edits(arrows, marks)
        view.show_trails(self._trails(session))
        view.show_names(display.class_places(colouring, edits.positions, ~hidden))
        self._show_legend(colouring)
        self._mark_selection()

    def _trails(self, session: Session) -> Arrows:
        """Return the ways from where images were to where the map has them."""
        past, proposal = self._desk.past, session.state.proposal
        if past is not None:
            return display.trails(past.compared, past.checkpoint)
        return display.trails(proposal.before, proposal.after) if proposal else Arrows()

    def colour_by(self, key: str) -> None:
        """Colour images by their class, their prediction or a column."""
        self.colour_key = key
        self._hidden_groups.clear()
        self.refresh()

    def set_tool(self, tool: str) -> None:
        """Choose what a drag on empty ground does."""
        if self.view is not None:
            self.view.tool = Tool(tool)
        self._editor.map.set_tool(tool)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self.picker.set_theme(palette)
        if self.card is not None:
            self.card.set_theme(palette)
        if self.view is not None:
            self.view.set_ink(QColor(palette.text), QColor(palette.canvas))

    def toggle_thumbnails(self) -> None:
        """Show pictures on the map, or not."""
        check = self._editor.map.thumbnails_check
        check.setChecked(not check.isChecked())
        self._on_thumbnails(check.isChecked())

    def zoom_to_selection(self) -> None:
        """Show the selected images, one with those around it, or the whole map."""
        if self.view is not None:
            selected = self._desk.selected
            if len(selected) == 1:
                selected = self._around(int(selected[0]))
            self.view.zoom_to_fit(selected if len(selected) else None)

    def shutdown(self) -> None:
        """Let go of the viewer."""
        self._hide_card()
        self.picker.close()
        if self.view is not None:
            self.view.remove()
        self.forget()

    def forget(self) -> None:
        """Hold on to nothing in a window that is gone."""
        self.view, self.card, self._canvas = None, None, None

    # Selecting

    def select_like(self, key: str) -> None:
        """Select images that are like the selected ones in some way."""
        session, chosen = self._desk.session, self._desk.selected
        if session is None or not self._desk.has_map:
            return
        edits, network = self._desk.edits, self._desk.shown.network
        assert network is not None
        everything = np.arange(len(session.dataset))
        guesses = network.predictions.probabilities
        rows = {
            "same_class": lambda: np.flatnonzero(
                np.isin(edits.labels, edits.labels[chosen])
            ),
            "same_prediction": lambda: (
                np.flatnonzero(
                    np.isin(guesses.argmax(axis=1), guesses[chosen].argmax(axis=1))
                )
                if guesses.shape[1]
                else chosen
            ),
            "neighbours": lambda: self._with_neighbours(chosen),
            "unlabelled": lambda: np.flatnonzero(edits.labels == UNLABELLED),
            "edited": lambda: np.flatnonzero(edits.edited),
            "disagree": lambda: np.flatnonzero(
                display.disagree(self._desk.shown, edits)
            ),
            "unsure": lambda: self._selectable(
                np.argsort(guesses.max(axis=1, initial=0), kind="stable")
            )[:LEAST_SURE],
            "all": lambda: everything,
            "invert": lambda: np.setdiff1d(everything, chosen),
            "none": lambda: chosen[:0],
        }[key]()
        self._desk.select(self._selectable(rows))

    def _select_group(self, group: int) -> None:
        """Select the images of an entry of the legend."""
        if self._colouring is not None and self._desk.has_map:
            rows = np.flatnonzero(self._colouring.groups == group)
            self._desk.select(self._selectable(rows))

    def _selectable(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of some images that the map shows and lets one select."""
        session, view = self._desk.session, self.view
        assert session is not None
        if view is None or view.cloud is None:
            return rows
        left = view.cloud.hidden
        if not view.include_held_out:
            left = left | session.dataset.held_out
        return rows[~left[rows]]

    def _with_neighbours(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        drawn = self._desk.shown.map
        assert drawn is not None
        near = drawn.neighbours[chosen, :_NEIGHBOURS].ravel()
        return np.union1d(chosen, near).astype(np.int64)

    # Naming and moving

    def name_selected(self) -> None:
        """Ask which class the selected images have, where they lie, and pin them."""
        self.name(self._desk.selected)

    def name(
        self, images: NDArray[np.int64], then: Callable[[], None] | None = None
    ) -> None:
        """Ask which class images have, where they lie, and pin them.

        Parameters
        ----------
        images : (n,) int64 array
            The images.
        then : callable, optional
            Called when they have been pinned.
        """
        at = self._movable(images)
        if len(at):
            self._ask(
                f"{_images(at)} right here: these are …",
                at,
                self._positions(at),
                self._global_place(at),
                lambda choice: Pin(at, choice.tag) if choice.tag else None,
                then=then,
            )

    def relabel_selected(self) -> None:
        """Ask which class the selected images have, whatever their place."""
        at = self._desk.selected
        if len(at):
            self._ask(
                f"{_images(at)}: these are …",
                at,
                self._positions(at),
                self._global_place(at),
                lambda choice: Relabel(at, choice.tag),
                allow_none=True,
            )

    def apply(self, edit: Edit) -> bool:
        """Apply an edit, or say why it cannot be; return whether it was."""
        assert self._desk.session is not None
        if self._desk.locked:
            warn(self._desk.locked)
            return False
        try:
            self._desk.session.apply(edit)
        except SpaceEditingError as error:
            warn(str(error))
            return False
        return True

    def _on_dropped(
        self, at: NDArray[np.int64], places: NDArray[np.float64], pointer: QPoint
    ) -> None:
        start = self._positions(at)
        end = places.astype(np.float32)
        self._ask(
            f"Move {_images(at)}: these are …",
            at,
            end,
            pointer,
            lambda choice: Move(at, start, end, Intent(choice.intent), choice.tag),
            allow_none=True,
        )

    def _ask(
        self,
        title: str,
        at: NDArray[np.int64],
        places: NDArray[np.float32],
        pointer: QPoint,
        answer: Callable[[ClassChoice], Edit | None],
        *,
        allow_none: bool = False,
        then: Callable[[], None] | None = None,
    ) -> None:
        def take(choice: ClassChoice) -> None:
            edit = answer(choice)
            if edit is not None and self.apply(edit) and then is not None:
                then()

        start = self._positions(at)
        self._put(_Question(title, at, start, places, pointer, take, allow_none))

    def _put(self, question: _Question) -> None:
        """Put a question, in place of one that was put off."""
        session = self._desk.session
        assert session is not None
        self._set_put_off(None)
        if self._desk.locked:
            self._clear_drag()
            warn(self._desk.locked)
            return
        edits = session.edits
        around = session.surroundings.at(question.places)
        votes = around.votes.mean(axis=0)
        kinds = np.unique(session.kinds(question.images))
        own = edits.class_names[kinds[0]] if len(kinds) == 1 and kinds[0] >= 0 else ""
        self.picker.ask(
            question.title,
            edits.class_names,
            class_colours(len(edits.class_names)).tolist(),
            votes,
            float(around.support.mean()),
            int(votes.argmax()) if votes.any() else None,
            allow_none=question.allow_none,
            own=own,
        )
        self._question = question
        self.picker.open_at(question.pointer)

    def ask_again(self) -> None:
        """Put the question that was put off."""
        if self._desk.locked:
            warn(self._desk.locked)
        elif self._put_off is not None:
            self._put(self._put_off)

    def put_back(self) -> None:
        """Forget the question that was put off; what was dragged goes back."""
        if self._put_off is not None:
            self._set_put_off(None)
            self._clear_drag()

    def _set_put_off(self, question: _Question | None) -> None:
        if question is not self._put_off:
            self._put_off = question
            self._desk.question_waits.emit(question.title if question else "")

    def _check_put_off(self) -> None:
        """Forget a question about images that have been moved otherwise since."""
        question = self._put_off
        if question is not None and not np.array_equal(
            self._positions(question.images), question.start
        ):
            self.put_back()

    def _on_change_requested(self, choice: ClassChoice) -> None:
        """Put the question off, with the drag as it is, and have the change shown."""
        question, self._question = self._question, None
        if question is not None:
            self._set_put_off(question)
            self._desk.change_wanted.emit(question.images, choice.tag)

    def _on_choice(self, choice: ClassChoice) -> None:
        question, self._question = self._question, None
        self._clear_drag()
        if question is not None:
            question.answer(choice)

    def _on_dismissed(self) -> None:
        self._question = None
        self._clear_drag()

    def _clear_drag(self) -> None:
        if self.view is not None:
            self.view.clear_drag()

    def _on_dragging(self, at: NDArray[np.int64], places: NDArray[np.float64]) -> None:
        session, view = self._desk.session, self.view
        assert session is not None
        assert view is not None
        step = -(-len(at) // _ASKED_WHILE_DRAGGING)
        around = session.surroundings.at(places[::step].astype(np.float32))
        view.show_drag_text(display.describe_place(around, session.edits.class_names))

    # Hovering

    def _on_hovered(self, index: int, place: QPoint, _bounds: QRect) -> None:
        self._card_place = place
        if index == self._hovered:
            return
        self._hovered = index
        self._hide_card()
        if index >= 0:
            self._dwell.start()

    def _hide_card(self) -> None:
        self._dwell.stop()
        if self.card is not None:
            self.card.hide_card()

    def _show_card(self) -> None:
        session, thumbnails = self._desk.session, self._desk.thumbnails
        index = self._hovered
        if session is None or thumbnails is None or self.card is None or index < 0:
            return
        assert self._colouring is not None
        lines = display.describe_image(
            index, session.dataset, self._desk.shown, self._desk.edits
        )
        self.card.show_image(
            thumbnails[index],
            lines,
            self._colouring.colours[index],
            self._card_place,
        )

    # Within

    def _make_view(self, canvas: QWidget) -> MapView:
        if self.view is None:
            view = MapView(self._desk.viewer, canvas)
            self.card = HoverCard(self._desk.palette, canvas)
            view.selection_changed.connect(lambda at: self._desk.select(at, view))
            view.dragging.connect(self._on_dragging)
            view.dropped.connect(self._on_dropped)
            view.hovered.connect(self._on_hovered)
            view.refused.connect(warn)
            view.layer_made.connect(self._take_layer)
            self.view = view
            self.set_theme(self._desk.palette)
            panel = self._editor.map
            view.include_held_out = panel.held_out_check.isChecked()
            view.toggle_thumbnails(panel.thumbnails_check.isChecked())
            view.show_thumbnails(self._desk.thumbnails)
        return self.view

    def _on_session(self) -> None:
        session = self._desk.session
        assert session is not None
        self.colour_key = display.usual_key(session.dataset)
        self._on_images()
        self.refresh()

    def _on_images(self) -> None:
        """Have more images, perhaps of more classes and with more columns."""
        session = self._desk.session
        assert session is not None
        self._hidden_groups.clear()
        self._hovered = -1
        self._hide_card()
        self.picker.close()
        self._editor.map.set_colour_keys(display.colour_keys(session.dataset))
        self._editor.map.set_colour_by(self.colour_key)

    def _preview(self) -> None:
        """Work out a map of the pictures while there is no network yet."""
        session, thumbnails = self._desk.session, self._desk.thumbnails
        if session is None or thumbnails is None:
            return
        # In a thread: beside a training it takes a second.
        self._desk.in_thread(
            lambda: pca_map(display.rough(thumbnails)),
            lambda places: self._show_preview(session, places),
            complain,
        )

    def _show_preview(self, session: Session, places: NDArray[np.float32]) -> None:
        """Show the map of the pictures, if it is still needed."""
        others = session is not self._desk.session
        others |= len(places) != len(session.dataset)
        if others or self._desk.has_map or self._canvas is None:
            return
        view = self._make_view(self._canvas)
        view.is_open = False
        dataset = session.dataset
        colouring = display.by_class(dataset.labels, dataset.class_names)
        nothing_hidden = np.zeros(len(dataset), bool)
        view.show_cloud(
            Cloud(
                places,
                colouring.colours,
                dataset.held_out,
                nothing_hidden,
            )
        )
        self._desk.viewer.status = _PREVIEW

    def _on_pictures(self) -> None:
        if self.view is not None:
            self.view.show_thumbnails(self._desk.thumbnails)
        if not self._desk.has_map:
            self._preview()

    def _on_selection(self, source: object) -> None:
        self._editor.map.set_any_selected(bool(len(self._desk.selected)))
        if self.view is not None and source is not self.view:
            self.view.select(self._desk.selected)

    def _mark_selection(self) -> None:
        if self.view is not None:
            self.view.select(self._desk.selected)

    def _on_thumbnails(self, on: bool) -> None:
        if self.view is not None:
            self.view.toggle_thumbnails(on)

    def _on_held_out(self, on: bool) -> None:
        if self.view is not None:
            self.view.include_held_out = on

    def _on_legend(self, *_: object) -> None:
        visible = self._editor.map.legend.visible_classes
        self._hidden_groups = set(np.flatnonzero(~visible).tolist())
        self.refresh()

    def _show_legend(self, colouring: display.Colouring) -> None:
        names = colouring.names
        counts = np.bincount(
            colouring.groups[colouring.groups >= 0], minlength=len(names)
        )
        panel = self._editor.map
        if names == self._legend:
            # What the user has typed there, or clicks on, stays.
            panel.legend.set_counts(counts)
        else:
            panel.set_legend(names, class_colours(len(names)), counts)
        self._legend = names
        visible = np.ones(len(names), bool)
        visible[[group for group in self._hidden_groups if group < len(names)]] = False
        panel.legend.set_visible_classes(visible)

    def _positions(self, at: NDArray[np.int64]) -> NDArray[np.float32]:
        assert self._desk.session is not None
        return self._desk.edits.positions[at]

    def _around(self, index: int) -> NDArray[np.int64]:
        """Return an image and those that lie nearest to it on the map."""
        assert self._desk.session is not None
        places = self._desk.session.edits.positions
        away = ((places - places[index]) ** 2).sum(axis=1)
        return np.argsort(away, kind="stable")[:_VICINITY].astype(np.int64)

    def _movable(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        session = self._desk.session
        if session is None:
            return chosen[:0]
        movable = chosen[~session.dataset.held_out[chosen]]
        if len(chosen) and not len(movable):
            warn("These images are held out to measure accuracy: relabel them instead.")
        return movable

    def _global_place(self, at: NDArray[np.int64]) -> QPoint:
        assert self.view is not None
        middle = self.view.viewport.to_canvas(self._positions(at).mean(axis=0)[None])[0]
        width, height = self.view.viewport.size
        x, y = np.clip(middle, 20, [width - 20, height - 20]).astype(int).tolist()
        return self.view.canvas.mapToGlobal(QPoint(x, y))


def _images(at: NDArray[np.int64]) -> str:
    return "1 image" if len(at) == 1 else f"{len(at):,} images"
