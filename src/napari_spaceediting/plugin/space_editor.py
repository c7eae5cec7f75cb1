"""The Space Editor dock: the steps of the work, one below the other."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_spaceediting.plugin.edits.panel import EditsPanel
from napari_spaceediting.plugin.guidance.panel import GuidancePanel
from napari_spaceediting.plugin.map.panel import MapPanel
from napari_spaceediting.plugin.opening.panel import DataPanel
from napari_spaceediting.plugin.training.network_panel import NetworkPanel
from napari_spaceediting.plugin.training.retrain_panel import RetrainPanel
from napari_spaceediting.plugin.widgets.job_bar import JobBar
from napari_spaceediting.plugin.widgets.palette import Palette
from napari_spaceediting.plugin.widgets.section import TODO, Section

DATA, NETWORK, MAP = "data", "network", "map"
GUIDANCE, EDITS, RETRAIN = "guidance", "edits", "retrain"

Panel = DataPanel | NetworkPanel | MapPanel | GuidancePanel | EditsPanel | RetrainPanel


@dataclass
class _Step:
    section: Section
    panel: Panel
    status: str = ""
    state: str = TODO
    reason: str = ""


class SpaceEditor(QWidget):
    """The six panels in numbered sections, under the bar of the running job.

    Parameters
    ----------
    palette : Palette
        Colours of the theme.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.job_bar = JobBar(palette)
        self.data = DataPanel(palette)
        self.network = NetworkPanel(palette)
        self.map = MapPanel(palette)
        self.guidance = GuidancePanel(palette)
        self.edits = EditsPanel(palette)
        self.retrain = RetrainPanel(palette)
        panels: dict[str, tuple[str, Panel]] = {
            DATA: ("Data", self.data),
            NETWORK: ("Network", self.network),
            MAP: ("Map", self.map),
            GUIDANCE: ("Guidance", self.guidance),
            EDITS: ("Edits", self.edits),
            RETRAIN: ("Retrain", self.retrain),
        }
        body = QWidget()
        sections = QVBoxLayout(body)
        sections.setContentsMargins(0, 0, 0, 0)
        sections.setSpacing(0)
        self._steps: dict[str, _Step] = {}
        for number, (key, (title, panel)) in enumerate(panels.items(), 1):
            section = Section(number, title, palette)
            section.add(panel)
            sections.addWidget(section)
            self._steps[key] = _Step(section, panel)
        sections.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(body)
        self._to_reveal = self._steps[DATA].section
        # The layout gives a section its height only after it has been unfolded.
        self._reveal_later = QTimer(self)
        self._reveal_later.setSingleShot(True)
        self._reveal_later.timeout.connect(self._reveal)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.job_bar)
        layout.addWidget(self._scroll, 1)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        self.job_bar.set_theme(palette)
        for step in self._steps.values():
            step.section.set_theme(palette)
            step.panel.set_theme(palette)

    def section(self, key: str) -> Section:
        """Return the section of a step: "data", "network", "map", ..."""
        return self._steps[key].section

    def open_section(self, key: str) -> None:
        """Unfold a step and scroll to it."""
        self._to_reveal = self._steps[key].section
        self._to_reveal.set_open(True)
        self._reveal_later.start()

    def unfold_section(self, key: str) -> None:
        """Unfold a step and leave what the user looks at in view."""
        self.section(key).set_open(True)

    def fold_section(self, key: str) -> None:
        """Fold a step."""
        self._steps[key].section.set_open(False)

    def set_status(self, key: str, text: str, state: str = TODO) -> None:
        """Say in a few words how a step stands.

        Parameters
        ----------
        key : str
            The step.
        text : str
            Such as "2,000 images"; not seen while the step is not available.
        state : str
            "todo", "active" (the step to do now) or "done".
        """
        step = self._steps[key]
        step.status, step.state = text, state
        self._show_status(step)

    def set_available(self, key: str, available: bool, reason: str = "") -> None:
        """Allow a step, or fold it and say what it waits for.

        Parameters
        ----------
        key : str
            The step.
        available : bool
            Whether it can be used.
        reason : str
            What it waits for, in a few words, such as "Train a network first".
        """
        step = self._steps[key]
        step.reason = "" if available else reason
        step.panel.set_enabled(available, reason)
        if not available:
            step.section.set_open(False)
        self._show_status(step)

    def _show_status(self, step: _Step) -> None:
        if step.reason:
            step.section.set_status(step.reason, TODO)
        else:
            step.section.set_status(step.status, step.state)

    def _reveal(self) -> None:
        section = self._to_reveal
        bar = self._scroll.verticalScrollBar()
        top, height = section.y(), section.height()
        view = self._scroll.viewport().height()
        # All of the section if there is room for it, but always its title.
        bar.setValue(min(max(bar.value(), top + height - view), top))
