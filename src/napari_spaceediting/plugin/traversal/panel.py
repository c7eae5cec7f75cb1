"""What would make images those of another kind: what is asked, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QHideEvent, QPainter, QPaintEvent, QResizeEvent, QShowEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.plugin.traversal.filmstrip import (
    Chance,
    Filmstrip,
    LargePicture,
    RealImages,
    Strip,
)
from napari_spaceediting.plugin.widgets.controls import (
    SPACING,
    TIGHT,
    Gate,
    choose,
    combo,
    guard_wheel,
    refill,
    set_text,
    word_label,
)
from napari_spaceediting.plugin.widgets.job_bar import remaining_in_words
from napari_spaceediting.plugin.widgets.painting import rounded_pixmap
from napari_spaceediting.plugin.widgets.palette import Palette, to_qcolor
from napari_spaceediting.traversal.filmstrip import BRIGHTER, DARKER
from napari_spaceediting.traversal.layers import Layer, in_words
from napari_spaceediting.traversal.settings import NEIGHBOURS

GROUP = "group"
"""Key of the target that was chosen as a group."""
_CLASS = "class:"
"""Start of the key of a class."""
EMPTY_TEXT = (
    "What would have to change in an image for the network to take it for one of "
    "another kind? Select images on the map, choose the kind, and press Run."
)
METHODS = (
    ("dmt", "Deep Manifold Traversal", "Looks for the way that least change takes"),
    (
        "dfi",
        "Quick interpolation",
        "Adds the mean difference of the two kinds; simpler, and a little quicker",
    ),
)
"""Key, title and tooltip of each method."""
_REACHES = (
    (
        "fitting",
        "What fits",
        f"Its {NEIGHBOURS} nearest images of each kind pull, or all of them: whichever "
        "takes it there with less change",
    ),
    ("all", "Whole kind", "All images of the two kinds pull, as published"),
)
_MAKINGS = (
    (
        "near",
        "Mixture",
        "It stays near to a mixture of real images: clean where all objects lie alike",
    ),
    (
        "features",
        "Features",
        "As published: sharper where objects do not lie alike, but with specks",
    ),
)
_LAYERS_TEXT = (
    "Layers that compare the images, from fine (details) to coarse (shapes and kinds):"
)
_LAYER_TIP = "A layer of the network: so many maps of the image, of that size"
_OPTIONS_TEXT = (
    "Moved by the whole kind, as published, some images change more than they need to."
)
PASSES = (
    "✓ It can pass for a real one: to the network, by the real images nearest to it, "
    "and being as near to them as they are to each other"
)
_PACE_MS = 450
"""Milliseconds for each step while it plays."""
_WIDE = 42
"""From this width on, in heights of a line, the parts stand side by side."""


class TraversalPanel(QWidget):
    """Asks which images shall become what, and shows the way step by step.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    run_requested = Signal()
    cancel_requested = Signal()
    group_requested = Signal()
    """Take the selected images as the target."""
    target_changed = Signal()
    """The user chose another target."""
    image_changed = Signal(int)
    """The user wants to see another of the images that were moved."""
    step_changed = Signal(int)
    """Another step is shown, by whatever means."""
    send_requested = Signal()
    save_requested = Signal()
    real_image_chosen = Signal(int)
    """Dataset index of a real image that was clicked on."""
    decide_requested = Signal()
    put_back_requested = Signal()
    kept_chosen = Signal(int)
    """The user wants to see one of the results that were kept: which of them."""
    remove_requested = Signal()
    """The result that is chosen is to be kept no more."""
    options_shown = Signal()
    """The user looks at the options."""
    layers_changed = Signal()
    """The user ticked other layers."""
    seen_changed = Signal(bool)
    """It has come before the user's eyes, or gone."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._strip: Strip | None = None
        self._step_was_chosen = False
        self._count = self._image = 0
        self._details = ""
        self._defaults: tuple[str, ...] = ()
        self.layer_checks: dict[str, QCheckBox] = {}
        self._forward = True
        self._dock: QDockWidget | None = None
        self._is_seen = False
        self._gate = Gate()
        self._timer = QTimer(self)
        self._timer.setInterval(_PACE_MS)
        self._timer.timeout.connect(self._play_on)
        self._build_question(palette)
        self._build_notices()
        self._build_head()
        self._build_result(palette)
        self._empty = word_label()
        self._empty.setText(EMPTY_TEXT)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setContentsMargins(16, 12, 16, 12)

        body = QWidget()
        inside = QVBoxLayout(body)
        inside.setContentsMargins(6, 4, 6, 4)
        inside.setSpacing(TIGHT)
        for part in (self._question, self._options, self._progress, self._waiting):
            inside.addWidget(part)
        inside.addWidget(self._notice)
        inside.addWidget(self._head)
        inside.addWidget(self._empty, 1)
        inside.addWidget(self._result, 1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        self.set_theme(palette)
        self.set_running(False)
        self.show_waiting("")
        self.show_notice("")
        self.show_layers(())
        self.show_kept(())
        self.show_result(0)

    # Built once

    def _build_question(self, palette: Palette) -> None:
        self._thumbs = _Thumbs()
        self._selected = QLabel()
        arrow = QLabel("→")
        self._target = combo("What the selected images shall become")
        self._target.setAccessibleName("Target")
        self._target.setMaximumWidth(24 * self.fontMetrics().height())
        self._target.activated.connect(lambda _: self.target_changed.emit())
        self.group_button = QPushButton("Set as target")
        self.group_button.clicked.connect(self.group_requested)
        self._gate.add(
            self.group_button,
            "Take the selected images, such as those you have lassoed, as what others "
            "shall become; then select those others",
        )
        self.options_button = QPushButton("Options")
        self.options_button.setCheckable(True)
        self.options_button.setToolTip("How it is done")
        self.run_button = QPushButton("Run")
        self.run_button.clicked.connect(self.run_requested)
        self._gate.add(self.run_button, "Show step by step what would have to change")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop, and keep the images that are finished")
        self.cancel_button.clicked.connect(self._cancel)
        for button in (self.run_button, self.cancel_button):
            button.setMinimumWidth(5 * self.fontMetrics().height())
        self._question = QWidget()
        self._question_layout = QBoxLayout(
            QBoxLayout.Direction.LeftToRight, self._question
        )
        self._question_layout.setContentsMargins(0, 0, 0, 0)
        self._question_layout.setSpacing(TIGHT)
        what, how = QHBoxLayout(), QHBoxLayout()
        for layout, widgets in (
            (what, (self._thumbs, self._selected, arrow, self._target)),
            (how, (self.group_button, self.options_button)),
        ):
            layout.setSpacing(TIGHT)
            for widget in widgets:
                layout.addWidget(widget)
        what.setStretchFactor(self._target, 10)
        what.addStretch(1)
        how.addStretch(1)
        how.addWidget(self.run_button)
        how.addWidget(self.cancel_button)
        self._question_layout.addLayout(what, 1)
        self._question_layout.addLayout(how)

        self._method = combo("How it is done")
        self._reach = combo("Which images pull")
        self._making = combo("What the images are made from")
        self._options = QWidget()
        options = QVBoxLayout(self._options)
        options.setContentsMargins(0, 0, 0, 0)
        options.setSpacing(4)
        self._options_layout = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._options_layout.setSpacing(TIGHT)
        for title, box, items in (
            ("Method", self._method, METHODS),
            ("Moved by", self._reach, _REACHES),
            ("Made from", self._making, _MAKINGS),
        ):
            for number, (key, name, tip) in enumerate(items):
                box.addItem(name, key)
                box.setItemData(number, tip, Qt.ItemDataRole.ToolTipRole)
            box.setAccessibleName(title)
            box.setMaximumWidth(24 * self.fontMetrics().height())
            pair = QHBoxLayout()
            pair.setSpacing(TIGHT)
            pair.addWidget(QLabel(title))
            pair.addWidget(box, 10)
            pair.addStretch(1)
            self._options_layout.addLayout(pair, 1)
        self._options_text = word_label()
        self._options_text.setText(_OPTIONS_TEXT)
        options.addLayout(self._options_layout)
        options.addWidget(self._options_text)
        self._layers_text = word_label()
        self._layers = QWidget()
        self._layers_layout = QFlowLayout(self._layers)
        self._layers_layout.setContentsMargins(0, 0, 0, 0)
        self._layers_layout.setHorizontalSpacing(2 * TIGHT)
        self._layers_layout.setVerticalSpacing(0)
        options.addWidget(self._layers_text)
        options.addWidget(self._layers)
        self._options.hide()
        self.options_button.toggled.connect(self._options.setVisible)
        self.options_button.toggled.connect(
            lambda on: self.options_shown.emit() if on else None
        )

    def _build_notices(self) -> None:
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress")
        self._bar_text = QLabel()
        self._progress = QWidget()
        row = QHBoxLayout(self._progress)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACING)
        row.addWidget(self._bar, 1)
        row.addWidget(self._bar_text)

        self._waiting_text = word_label()
        self.decide_button = QPushButton("Decide…")
        self.decide_button.setToolTip("Ask for the class again, where you left off")
        self.decide_button.clicked.connect(self.decide_requested)
        self.put_back_button = QPushButton("Put back")
        self.put_back_button.setToolTip("Drop the question; nothing is changed")
        self.put_back_button.clicked.connect(self.put_back_requested)
        self._waiting = QFrame()
        self._waiting.setObjectName("Waiting")
        row = QHBoxLayout(self._waiting)
        row.setContentsMargins(8, 2, 2, 2)
        row.setSpacing(TIGHT)
        row.addWidget(self._waiting_text, 1)
        row.addWidget(self.decide_button)
        row.addWidget(self.put_back_button)
        self._notice = word_label()

    def _build_head(self) -> None:
        self.previous_button, self.next_button = QPushButton("‹"), QPushButton("›")
        for button, by, which in (
            (self.previous_button, -1, "previous"),
            (self.next_button, 1, "next"),
        ):
            button.setAccessibleName(f"The {which} image")
            button.setFixedWidth(2 * self.fontMetrics().height())
            button.clicked.connect(lambda _=False, by=by: self._turn(by))
            self._gate.add(button, f"The {which} image")
        self._title = QLabel()
        self._title.setTextFormat(Qt.TextFormat.RichText)
        self._title.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.send_button = QPushButton("Send to napari")
        self.send_button.setToolTip(
            "Add all images as a layer beside the map; its first axis is the step"
        )
        self.send_button.clicked.connect(self.send_requested)
        self.save_button = QPushButton("Save…")
        self.save_button.setToolTip(
            "Write all images, a filmstrip of each and a report into a folder"
        )
        self.save_button.clicked.connect(self.save_requested)
        self.kept_button = QPushButton()
        self.kept_button.setAccessibleName("Earlier results")
        self.kept_button.clicked.connect(self._open_kept)
        self._gate.add(
            self.kept_button,
            "See again what was found before; it is saved with the session",
        )
        self.kept_menu = QMenu(self)
        self.kept_menu.setToolTipsVisible(True)
        self._head = QWidget()
        self._head_layout = QBoxLayout(QBoxLayout.Direction.LeftToRight, self._head)
        self._head_layout.setContentsMargins(0, 0, 0, 0)
        self._head_layout.setSpacing(TIGHT)
        left, right = QHBoxLayout(), QHBoxLayout()
        left.addWidget(self.previous_button)
        left.addWidget(self.next_button)
        left.addWidget(self._title, 1)
        for button in (self.kept_button, self.send_button, self.save_button):
            right.addWidget(button)
        self._head_layout.addLayout(left, 1)
        self._head_layout.addLayout(right)

    def _build_result(self, palette: Palette) -> None:
        self.picture = LargePicture(palette)
        self.play_button = QPushButton("Play")
        self.play_button.setCheckable(True)
        self.play_button.setToolTip("Play from the original to the last step and back")
        self.play_button.setFixedWidth(5 * self.fontMetrics().height())
        self.play_button.toggled.connect(self._on_play)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Step")
        self.slider.setToolTip("From the original to the most change")
        self.slider.setPageStep(1)
        self.slider.valueChanged.connect(self._on_slider)
        guard_wheel(self.slider)
        self._step_text = QLabel()
        self._step_text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        stage = QVBoxLayout()
        stage.setSpacing(4)
        stage.addWidget(self.picture, 1)
        controls = QHBoxLayout()
        controls.setSpacing(TIGHT)
        controls.addWidget(self.play_button)
        controls.addWidget(self.slider, 1)
        stage.addLayout(controls)
        stage.addWidget(self._step_text)
        self._stage = QWidget()
        self._stage.setLayout(stage)
        stage.setContentsMargins(0, 0, 0, 0)

        self.filmstrip = Filmstrip(palette, (_hex(DARKER), _hex(BRIGHTER)))
        self.filmstrip.step_chosen.connect(self.set_step)

        self._real_heading = QLabel("Nearest real")
        self._real_heading.setToolTip(
            "The real images of the target that are most like the step shown, nearest "
            "first: compare with them"
        )
        self.real_images = RealImages(palette)
        self.real_images.chosen.connect(self.real_image_chosen)
        real = QVBoxLayout()
        real.setContentsMargins(0, 0, 0, 0)
        real.setSpacing(4)
        real.addWidget(self._real_heading)
        real.addWidget(self.real_images, 1)
        self._real = QWidget()
        self._real.setLayout(real)

        self._result = QWidget()
        self._parts = QBoxLayout(QBoxLayout.Direction.LeftToRight, self._result)
        self._parts.setContentsMargins(0, 0, 0, 0)
        self._parts.setSpacing(10)
        for part in (self._stage, self.filmstrip, self._real):
            self._parts.addWidget(part)
        self._arrange(wide=True)

    # What is shown

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self._palette = palette
        quiet = f"padding: 0px; color: {palette.muted};"
        size = palette.font_size
        self._empty.setStyleSheet(f"{quiet} font-size: {size * 1.1:.1f}pt;")
        for label in (
            self._options_text,
            self._layers_text,
            self._bar_text,
            self._step_text,
        ):
            label.setStyleSheet(quiet)
        self._real_heading.setStyleSheet(f"{quiet} font-weight: 600;")
        self._notice.setStyleSheet(f"padding: 0px; color: {palette.warning_text};")
        self._waiting.setStyleSheet(
            f"QFrame#Waiting {{background-color: {palette.foreground};"
            " border-radius: 4px;}"
            "QFrame#Waiting QLabel {background-color: transparent;}"
        )
        self._bar.setStyleSheet(
            f"QProgressBar {{background-color: {palette.primary}; border: 0px;"
            " min-height: 6px; max-height: 6px; border-radius: 3px; padding: 0px;}"
            f"QProgressBar::chunk {{background-color: {palette.accent};"
            " border-radius: 3px;}"
        )
        self.run_button.setStyleSheet(palette.primary_button)
        for view in (self.picture, self.filmstrip, self.real_images):
            view.set_theme(palette)
        self._show_title()

    def set_selection(
        self, count: int, thumbnails: NDArray[np.uint8] | None = None
    ) -> None:
        """Say how many images are selected, and show some of them.

        Parameters
        ----------
        count : int
            Of all of them.
        thumbnails : (n, h, w, 3) uint8 array, optional
            Of the first few.
        """
        self._thumbs.show_pictures(thumbnails)
        noun = "image" if count == 1 else "images"
        self._selected.setText(f"{count:,} {noun}" if count else "No image selected")
        self._gate.block(
            self.group_button,
            "" if count else "Select images first, on the map or in the gallery",
        )

    def set_targets(self, classes: Sequence[str], group: int) -> None:
        """Offer classes, and a group of so many images if it is not empty."""
        items = [(f"{_CLASS}{name}", name) for name in classes]
        if group:
            items.insert(0, (GROUP, f"Group of {group:,} images"))
        shown = [
            (str(self._target.itemData(at)), self._target.itemText(at))
            for at in range(self._target.count())
        ]
        if shown != items:
            refill(self._target, items)

    def choose_target(self, name: str | None) -> None:
        """Choose a class by its name, or the group; emits nothing."""
        choose(self._target, GROUP if name is None else f"{_CLASS}{name}")

    @property
    def target(self) -> str | None:
        """The name of the class that is chosen; None for the group."""
        key = str(self._target.currentData() or _CLASS)
        return None if key == GROUP else key.removeprefix(_CLASS)

    @property
    def method(self) -> str:
        """Key of the method: "dmt" or "dfi"."""
        return str(self._method.currentData())

    @property
    def whole_kind(self) -> bool:
        """Whether all images of the two kinds move an image."""
        return bool(self._reach.currentData() == "all")

    @property
    def features_alone(self) -> bool:
        """Whether nothing holds images to a mixture of real ones."""
        return bool(self._making.currentData() == "features")

    @property
    def shows_options(self) -> bool:
        """Whether the options are unfolded."""
        return self.options_button.isChecked()

    def show_layers(self, layers: Sequence[Layer], text: str = "") -> None:
        """Offer layers, or say why there are none to choose from."""
        for check in self.layer_checks.values():
            self._layers_layout.removeWidget(check)
            check.deleteLater()
        self.layer_checks = {}
        self._defaults = tuple(layer.name for layer in layers if layer.is_default)
        for layer, words in zip(layers, in_words(layers), strict=True):
            check = QCheckBox(words)
            check.setToolTip(f"{_LAYER_TIP}\n\nModule {layer.name}")
            check.setChecked(layer.is_default)
            check.toggled.connect(lambda _: self.layers_changed.emit())
            self._layers_layout.addWidget(check)
            self.layer_checks[layer.name] = check
        widths = [check.sizeHint().width() for check in self.layer_checks.values()]
        for check in self.layer_checks.values():
            check.setMinimumWidth(max(widths))
        set_text(self._layers_text, _LAYERS_TEXT if layers else text)
        self._layers.setVisible(bool(layers))

    @property
    def layers(self) -> tuple[str, ...] | None:
        """Names of the layers that are ticked; None for those that usually are."""
        names = self.layer_checks.items()
        chosen = tuple(name for name, check in names if check.isChecked())
        return None if chosen == self._defaults else chosen

    def block_run(self, reason: str) -> None:
        """Say why it cannot run; "" if it can."""
        self._gate.block(self.run_button, reason)

    def show_hint(self, hint: str) -> None:
        """Say what to do where there is no result; "" for what this is about."""
        self._empty.setText(hint or EMPTY_TEXT)

    def set_running(self, running: bool) -> None:
        """Show that it runs, or does not any more."""
        self.run_button.setVisible(not running)
        self.cancel_button.setVisible(running)
        self.cancel_button.setEnabled(True)
        self.cancel_button.setText("Cancel")
        self._progress.setVisible(running)
        self._gate.block(self.kept_button, "Wait until it is done" if running else "")
        self._bar.setRange(0, 0)
        self._bar_text.setText("")

    def report(self, progress: Progress, remaining_seconds: float | None) -> None:
        """Show how far it is."""
        self._bar.setRange(0, progress.total)
        self._bar.setValue(min(progress.done, progress.total))
        words = (progress.message, remaining_in_words(remaining_seconds))
        self._bar_text.setText(" · ".join(word for word in words if word))

    def show_notice(self, text: str) -> None:
        """Say what the user should know; "" for nothing."""
        set_text(self._notice, text)

    def show_waiting(self, question: str) -> None:
        """Say which question waits for an answer; "" for none."""
        self._waiting_text.setText(f"“{question}” waits for your answer.")
        self._waiting.setVisible(bool(question))

    def show_result(self, count: int) -> None:
        """Show that so many images have been moved; for 0 say what to do."""
        self._count = count
        self._image = min(self._image, max(count - 1, 0))
        for part in (self._result, self.send_button, self.save_button):
            part.setVisible(count > 0)
        self._head.setVisible(count > 0 or bool(self.kept_menu.actions()))
        self._empty.setVisible(not count)
        if not count:
            self._image = 0
            self.play_button.setChecked(False)
            self._strip = None
            self._step_was_chosen = False
        self._gate.block(
            self.previous_button, "" if self._image > 0 else "This is the first image"
        )
        self._gate.block(
            self.next_button,
            "" if self._image < count - 1 else "This is the last image",
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
        menu = self.kept_menu
        menu.clear()
        for number, (words, tip) in enumerate(results):
            action = menu.addAction(words.replace("&", "&&"))
            action.setToolTip(tip)
            action.setCheckable(True)
            action.setChecked(number == chosen)
            action.triggered.connect(
                lambda _=False, number=number: self.kept_chosen.emit(number)
            )
        if chosen >= 0:
            menu.addSeparator()
            menu.addAction("Remove the one shown…", self.remove_requested.emit)
        self.kept_button.setText(f"Earlier ({len(results)}) ▾")
        self.kept_button.setVisible(bool(results))
        self._head.setVisible(self._count > 0 or bool(results))

    def show_details(self, text: str) -> None:
        """Say how what is shown was made; it stands in the tooltip of the title."""
        self._details = text
        self._show_title()

    def show_strip(self, strip: Strip) -> None:
        """Show the way of the image at hand.

        It shows where the image arrives until a step is chosen, which then stays.
        """
        self._strip = strip
        self.filmstrip.show_strip(strip)
        last = len(strip.pictures) - 1
        self.slider.blockSignals(True)
        self.slider.setRange(0, last)
        if not self._step_was_chosen:
            self.slider.setValue(strip.arrival)
        self.slider.blockSignals(False)
        self._show_title()
        self._show_step()

    def set_image(self, image: int) -> None:
        """Put another image at hand; emits nothing."""
        self._image = image
        self.show_result(self._count)

    def set_thumbnails(self, thumbnails: NDArray[np.uint8] | None) -> None:
        """Set the (N, s, s, 3) uint8 images that indices point to."""
        self.real_images.set_thumbnails(thumbnails)

    @property
    def image(self) -> int:
        """Which of the images that were moved is shown."""
        return self._image

    @property
    def step(self) -> int:
        """Which step is shown; 0 is the original."""
        return self.slider.value()

    def set_step(self, step: int) -> None:
        """Show another step."""
        self.play_button.setChecked(False)
        self.slider.setValue(step)

    @property
    def is_playing(self) -> bool:
        """Whether the steps play by themselves."""
        return self._timer.isActive()

    # Within

    def _open_kept(self) -> None:
        below = self.kept_button.mapToGlobal(self.kept_button.rect().bottomLeft())
        self.kept_menu.popup(below)

    def _cancel(self) -> None:
        self.cancel_button.setEnabled(False)
        self.cancel_button.setText("Stopping…")
        self.cancel_requested.emit()

    def _turn(self, by: int) -> None:
        self.set_image(int(np.clip(self._image + by, 0, self._count - 1)))
        self.image_changed.emit(self._image)

    def _on_slider(self, _step: int) -> None:
        self._step_was_chosen = True
        self._show_step()

    def _show_step(self) -> None:
        strip, step = self._strip, self.step
        if strip is None:
            return
        self.picture.show_step(strip, step)
        self.filmstrip.set_step(step)
        self.real_images.show_images(strip.nearest[step], strip.nearest_names[step])
        last = len(strip.pictures) - 1
        self._step_text.setText(
            f"Step {step} of {last} · {strip.captions[step]}" if step else "Original"
        )
        self._step_text.setToolTip(PASSES if step and strip.passes[step] else "")
        self.step_changed.emit(step)

    def _on_play(self, on: bool) -> None:
        self.play_button.setText("Stop" if on else "Play")
        if not on:
            self._timer.stop()
            return
        self._forward = True
        if self.step == self.slider.maximum():
            self.slider.setValue(0)
        self._timer.start()

    def _play_on(self) -> None:
        if self.step >= self.slider.maximum():
            self._forward = False
        elif self.step <= 0:
            self._forward = True
        self.slider.setValue(self.step + (1 if self._forward else -1))

    def _show_title(self) -> None:
        strip = self._strip
        if strip is None:
            self._title.setText("")
            return
        number = f"{self._image + 1} of {self._count} · " if self._count > 1 else ""
        start = _in_colour(strip.start, strip.leaves)
        goal = _in_colour(strip.goal, strip.nears)
        quiet = f"<span style='color:{self._palette.muted}'>"
        self._title.setText(
            f"{quiet}{number}</span>{start} → {goal} {quiet}{escape(strip.name)}</span>"
        )
        self._title.setToolTip("\n".join(filter(None, (strip.name, self._details))))

    def _arrange(self, wide: bool) -> None:
        """Put the parts side by side where there is room, else below each other."""
        direction = (
            QBoxLayout.Direction.LeftToRight
            if wide
            else QBoxLayout.Direction.TopToBottom
        )
        for layout in (
            self._question_layout,
            self._options_layout,
            self._head_layout,
            self._parts,
        ):
            layout.setDirection(direction)
        for part, stretch in ((self._stage, 3), (self.filmstrip, 8), (self._real, 2)):
            self._parts.setStretchFactor(part, stretch if wide else 0)
        self._thumbs.set_few(not wide)
        self.real_images.set_columns(2 if wide else 5)
        self._stage.setMinimumHeight(0 if wide else 220)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Arrange the parts for the new width."""
        self._arrange(self.width() >= _WIDE * self.fontMetrics().height())
        super().resizeEvent(event)

    @property
    def is_seen(self) -> bool:
        """Whether it is shown, and not behind another tab."""
        return self._is_seen

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
        """Stop playing where nobody looks."""
        if not seen:
            self.play_button.setChecked(False)
        if seen != self._is_seen:
            self._is_seen = seen
            self.seen_changed.emit(seen)


class _Thumbs(QWidget):
    """A few small pictures in a row."""

    _SIDE = 24
    _FEW = 2

    def __init__(self) -> None:
        super().__init__()
        self._thumbnails: NDArray[np.uint8] | None = None
        self._are_few = False
        self.setAccessibleName("Selected images")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)

    def show_pictures(self, thumbnails: NDArray[np.uint8] | None) -> None:
        self._thumbnails = thumbnails
        self.setVisible(thumbnails is not None and len(thumbnails) > 0)
        self.updateGeometry()
        self.update()

    def set_few(self, few: bool) -> None:
        """Show no more than two."""
        self._are_few = few
        self.updateGeometry()
        self.update()

    def _shown(self) -> NDArray[np.uint8]:
        if self._thumbnails is None:
            return np.empty((0, 1, 1, 3), np.uint8)
        return self._thumbnails[: self._FEW] if self._are_few else self._thumbnails

    def sizeHint(self) -> QSize:
        count = len(self._shown())
        return QSize(max(count * (self._SIDE + 2) - 2, 1), self._SIDE)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        top = (self.height() - self._SIDE) // 2
        ratio = self.devicePixelRatioF()
        for number, thumbnail in enumerate(self._shown()):
            pixmap = rounded_pixmap(thumbnail, self._SIDE, 2, ratio)
            painter.drawPixmap(number * (self._SIDE + 2), top, pixmap)


def _in_colour(name: str, chance: Chance | None) -> str:
    """Return a name, after a dot in the colour of its bars."""
    words = f"<b>{escape(name)}</b>"
    if chance is None:
        return words
    return f"<span style='color:{to_qcolor(chance.colour).name()}'>●</span> {words}"


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
