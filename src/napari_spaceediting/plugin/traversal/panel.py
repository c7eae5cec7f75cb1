"""What would make images those of another kind: what is asked, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QHideEvent, QResizeEvent, QShowEvent
from qtpy.QtWidgets import (
    QDockWidget,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_spaceediting.plugin.traversal.layers import LayerChoice
from napari_spaceediting.plugin.traversal.strip import Chance, Strip
from napari_spaceediting.plugin.traversal.way import Way
from napari_spaceediting.plugin.widgets.controls import (
    TIGHT,
    Panel,
    along,
    card,
    choose,
    column,
    combo,
    dress,
    literal,
    pop_up,
    refill,
    row,
    scrolled,
    set_role,
    set_text,
    turning,
    word_label,
)
from napari_spaceediting.plugin.widgets.job_bar import JobBar
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor
from napari_spaceediting.traversal.settings import Regime
from napari_spaceediting.wording import counted

_REGIMES = (
    ("", "As the images suggest"),
    ("features", "Photographs"),
    ("mixtures", "Small aligned images"),
)
_GROUP = ""
"""Key of the target that was chosen as a group; that of a class is its name."""
EMPTY_TEXT = (
    "What would have to change in an image for the network to take it for one of "
    "another kind? Select images on the map, choose the kind, and press Run."
)


class TraversalPanel(Panel):
    """Asks which images shall become what, and shows the way step by step."""

    image_changed = Signal(int)
    """The user wants to see another of the images that were moved."""
    kept_chosen = Signal(int)
    """The user wants to see one of the results that were kept: which of them."""
    remove_requested = Signal()
    """The result that is chosen is to be kept no more."""
    seen_changed = Signal(bool)
    """It has come before the user's eyes, or gone."""

    def __init__(self) -> None:
        super().__init__()
        self._strip: Strip | None = None
        self._offered: list[tuple[str, str]] = []
        self._count = 0
        self.image = 0
        """Which of the images that were moved is shown."""
        self._details = ""
        self._dock: QDockWidget | None = None
        self.is_seen = False
        self._build_question()
        self._build_waiting()
        self._build_head()
        self.notice = word_label("warning")
        self.progress = JobBar("Stop, and keep what is made so far")
        self.way = Way()
        self._empty = word_label("muted")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setContentsMargins(16, 12, 16, 12)

        body = QWidget()
        inside = column(body, TIGHT)
        inside.setContentsMargins(6, 4, 6, 4)
        for part in (
            self._question,
            self._options,
            self.progress,
            self._waiting,
            self.notice,
            self._head,
        ):
            inside.addWidget(part)
        inside.addWidget(self._empty, 1)
        inside.addWidget(self.way, 1)
        column(self).addWidget(scrolled(body))
        self.show_hint("")
        self.show_waiting("")
        set_text(self.notice, "")
        self.show_kept(())
        self.show_result(0)

    # Built once

    def _build_question(self) -> None:
        self._selected = QLabel()
        self.targets = combo("What the selected images shall become")
        self.targets.setAccessibleName("Target")
        self.targets.setMaximumWidth(24 * self.fontMetrics().height())
        self.group_button = self.gate.button(
            "Set as target",
            "Take the selected images, such as those you have lassoed, as what others "
            "shall become; then select those others",
        )
        self._regime = combo(
            "How images are made: photographs by changing the original itself, small "
            "aligned images near to mixtures of real ones",
            _REGIMES,
        )
        self._regime.setAccessibleName("How images are made")
        self._regime.setMaximumWidth(16 * self.fontMetrics().height())
        self.layers = LayerChoice()
        self._options = QWidget()
        self._options.hide()
        options = column(self._options, 4)
        how = row(QLabel("Made as"), self._regime, stretch=(0, 10))
        how.addStretch(1)
        options.addLayout(how)
        options.addWidget(self.layers)
        self.options_button = QPushButton("Options")
        self.options_button.setCheckable(True)
        self.options_button.setToolTip("How images are made, and compared by what")
        self.options_button.toggled.connect(self._options.setVisible)
        self.run_button = self.gate.button(
            "Run", "Show step by step what would have to change"
        )
        set_role(self.run_button, "primary")
        self.run_button.setMinimumWidth(5 * self.fontMetrics().height())
        self._question = QWidget()
        self._question_layout = turning(self._question)
        what = row(self._selected, QLabel("→"), self.targets, stretch=(0, 0, 10))
        what.addStretch(1)
        how = row(self.group_button, self.options_button, stretch=(0, 0))
        how.addStretch(1)
        how.addWidget(self.run_button)
        self._question_layout.addLayout(what, 1)
        self._question_layout.addLayout(how)

    def _build_waiting(self) -> None:
        self._waiting_text = word_label()
        self.decide_button = self.gate.button(
            "Decide…", "Ask for the class again, where you left off"
        )
        self.put_back_button = self.gate.button(
            "Put back", "Drop the question; nothing is changed"
        )
        self._waiting = card()
        parts = self._waiting_text, self.decide_button, self.put_back_button
        waiting = column(self._waiting)
        waiting.setContentsMargins(8, 2, 2, 2)
        waiting.addLayout(row(*parts, stretch=(1, 0, 0)))

    def _build_head(self) -> None:
        self.previous_button = self.gate.button(
            "‹", "The previous image", lambda: self._turn(-1)
        )
        self.next_button = self.gate.button(
            "›", "The next image", lambda: self._turn(1)
        )
        for button in (self.previous_button, self.next_button):
            button.setAccessibleName(button.toolTip())
            button.setFixedWidth(2 * self.fontMetrics().height())
        self._title = QLabel()
        self._title.setTextFormat(Qt.TextFormat.RichText)
        self._title.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.send_button = self.gate.button(
            "Send to napari",
            "Add all images as a layer beside the map; its first axis is the step",
        )
        self.save_button = self.gate.button(
            "Save…",
            "Write all images, a filmstrip of each and a report into a folder",
        )
        self.kept_menu = QMenu(self)
        self.kept_menu.setToolTipsVisible(True)
        self.kept_button = self.gate.button(
            "",
            "See again what was found before; it is saved with the session",
            lambda: pop_up(self.kept_menu, self.kept_button),
        )
        self._head = QWidget()
        self._head_layout = turning(self._head)
        self._head_layout.addLayout(
            row(self.previous_button, self.next_button, self._title, stretch=(0, 0, 1)),
            1,
        )
        self._head_layout.addLayout(
            row(self.kept_button, self.send_button, self.save_button, stretch=(0, 0, 0))
        )

    # What is shown

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        dress(self, palette)
        self._show_title()

    def set_selection(self, count: int) -> None:
        """Say how many images are selected."""
        selected = counted(count, "image") if count else "No image selected"
        self._selected.setText(selected)
        self.gate.block(
            self.group_button,
            "" if count else "Select images first, on the map or in the gallery",
        )

    def set_targets(self, classes: Sequence[str], group: int) -> None:
        """Offer classes, and a group of so many images if it is not empty."""
        items = [(name, name) for name in classes]
        if group:
            items.insert(0, (_GROUP, f"Group of {counted(group, 'image')}"))
        if items != self._offered:
            self._offered = items
            refill(self.targets, items)

    def choose_target(self, name: str | None) -> None:
        """Choose a class by its name, or the group; emits nothing."""
        choose(self.targets, _GROUP if name is None else name)

    @property
    def target(self) -> str | None:
        """The name of the class that is chosen, "" for none; None for the group."""
        key = self.targets.currentData()
        return "" if key is None else str(key) or None

    @property
    def regime(self) -> Regime | None:
        """How images are to be made; None where they decide it themselves."""
        found: Regime | None = self._regime.currentData() or None
        return found

    def show_hint(self, hint: str) -> None:
        """Say what to do where there is no result; "" for what this is about."""
        self._empty.setText(hint or EMPTY_TEXT)

    def set_running(self, running: bool) -> None:
        """Show that it runs, or does not any more."""
        self.gate.block(self.kept_button, "Wait until it is done" if running else "")
        if running:
            self.progress.start("")
        else:
            self.progress.hide()

    def show_waiting(self, question: str) -> None:
        """Say which question waits for an answer; "" for none."""
        self._waiting_text.setText(f"“{question}” waits for your answer.")
        self._waiting.setVisible(bool(question))

    def block_use(self, reason: str) -> None:
        """Say why nothing can be sent or saved; "" if it can."""
        for button in (self.send_button, self.save_button):
            self.gate.block(button, reason)

    def show_result(self, count: int) -> None:
        """Show that so many images are moved; for 0 say what to do."""
        self._count = count
        self.image = min(self.image, max(count - 1, 0))
        for part in (self.way, self.send_button, self.save_button):
            part.setVisible(count > 0)
        self._show_head()
        self._empty.setVisible(not count)
        if not count:
            self.image = 0
            self._strip = None
            self.way.forget()
        self.gate.block(
            self.previous_button, "" if self.image > 0 else "This is the first image"
        )
        self.gate.block(
            self.next_button,
            "" if self.image < count - 1 else "This is the last image",
        )
        for button in (self.previous_button, self.next_button):
            button.setVisible(count > 1)
        self._show_title()

    def show_kept(self, results: Sequence[tuple[str, str]], chosen: int = -1) -> None:
        """Offer results that were kept.

        Parameters
        ----------
        results : sequence of (str, str)
            What each is, and its tooltip.
        chosen : int
            Which of them is shown, -1 for none.
        """
        self.kept_menu.clear()
        for number, (words, tip) in enumerate(results):
            action = self.kept_menu.addAction(literal(words))
            action.setToolTip(tip)
            action.setCheckable(True)
            action.setChecked(number == chosen)
            action.triggered.connect(
                lambda _=False, number=number: self.kept_chosen.emit(number)
            )
        if chosen >= 0:
            self.kept_menu.addSeparator()
            remove = self.remove_requested.emit
            self.kept_menu.addAction("Remove the one shown…", remove)
        self.kept_button.setText(f"Earlier ({len(results)}) ▾")
        self.kept_button.setVisible(bool(results))
        self._show_head()

    def show_details(self, text: str) -> None:
        """Say how what is shown was made; it stands in the tooltip of the title."""
        self._details = text
        self._show_title()

    def show_strip(self, strip: Strip) -> None:
        """Show the way of the image at hand."""
        self._strip = strip
        self.way.show_strip(strip)
        self._show_title()

    @property
    def step(self) -> int:
        """Which step is shown; 0 is the original."""
        return self.way.slider.value()

    # Within

    def _show_head(self) -> None:
        self._head.setVisible(self._count > 0 or not self.kept_menu.isEmpty())

    def _turn(self, by: int) -> None:
        self.image = int(np.clip(self.image + by, 0, self._count - 1))
        self.show_result(self._count)
        self.image_changed.emit(self.image)

    def _show_title(self) -> None:
        strip = self._strip
        if strip is None:
            self._title.setText("")
            return
        number = f"{self.image + 1} of {self._count} · " if self._count > 1 else ""
        start = _in_colour(strip.start, strip.leaves)
        goal = _in_colour(strip.goal, strip.nears)
        quiet = f"<span style='color:{self._palette.muted}'>"
        self._title.setText(
            f"{quiet}{number}</span>{start} → {goal} {quiet}{escape(strip.name)}</span>"
        )
        self._title.setToolTip("\n".join(filter(None, (strip.name, self._details))))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Put the parts side by side where there is room, else below each other."""
        for layout in (self._question_layout, self._head_layout):
            layout.setDirection(along(self))
        self.way.set_direction(along(self))
        super().resizeEvent(event)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Follow the dock that it is in: behind another tab Qt calls it visible."""
        super().showEvent(event)
        parent = self.parent()
        while parent is not None and not isinstance(parent, QDockWidget):
            parent = parent.parent()
        if parent is not None and parent is not self._dock:
            self._dock = parent
            parent.visibilityChanged.connect(self._on_seen)
        self._on_seen(True)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Tell that it is not seen any more."""
        super().hideEvent(event)
        self._on_seen(False)

    def _on_seen(self, seen: bool) -> None:
        if seen != self.is_seen:
            self.is_seen = seen
            self.seen_changed.emit(seen)


def _in_colour(name: str, chance: Chance | None) -> str:
    """Return a name, after a dot in the colour of its bars."""
    words = f"<b>{escape(name)}</b>"
    if chance is None:
        return words
    return f"<span style='color:{to_qcolor(chance.colour).name()}'>●</span> {words}"
