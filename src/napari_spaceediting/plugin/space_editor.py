"""The Space Editor dock: the steps of the work, one below the other."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtWidgets import QWidget

from napari_spaceediting.plugin.status import Folding, SectionState, Step
from napari_spaceediting.plugin.widgets.controls import (
    Panel,
    column,
    dress,
    once,
    scrolled,
)
from napari_spaceediting.plugin.widgets.job_bar import JobBar
from napari_spaceediting.plugin.widgets.palette import Palette
from napari_spaceediting.plugin.widgets.section import TODO, Section


class SpaceEditor(QWidget):
    """The panels of all steps in numbered sections, above the bar of the running job.

    Parameters
    ----------
    panels : mapping of Step to Panel
        The widget of each step, in the order of the work.
    dock_bar : QWidget, optional
        Stands below them.
    """

    def __init__(
        self, panels: Mapping[Step, Panel], dock_bar: QWidget | None = None
    ) -> None:
        super().__init__()
        self.job_bar = JobBar("Stop this job and leave everything as it was before")
        self._panels = panels
        self._sections: dict[Step, Section] = {}
        self._shown: dict[Step, SectionState] = {}
        body = QWidget()
        layout = column(body, 0)
        for number, (step, panel) in enumerate(panels.items(), 1):
            section = Section(number, step.capitalize(), panel)
            layout.addWidget(section)
            self._sections[step] = section
        layout.addStretch(1)
        self._scroll = scrolled(body)
        self._to_reveal = next(iter(self._sections.values()))
        # The layout gives a section its height only after it has been unfolded.
        self._reveal_later = once(self, 0, self._reveal)
        outer = column(self, 0)
        outer.addWidget(self._scroll, 1)
        if dock_bar is not None:
            outer.addWidget(dock_bar)
        # At the end it pushes nothing away from under the pointer when it comes.
        outer.addWidget(self.job_bar)

    def set_theme(self, palette: Palette) -> None:
        """Follow a change of theme."""
        dress(self, palette)

    def section(self, step: str) -> Section:
        """Return the section of a step."""
        return self._sections[Step(step)]

    def show_states(self, states: Mapping[Step, SectionState]) -> None:
        """Show how the steps stand; those that are as they were are left alone."""
        for step, state in states.items():
            if state != self._shown.get(step):
                self._shown[step] = state
                self._show(self._sections[step], self._panels[step], state)

    def fold(self, folding: Folding) -> None:
        """Fold and unfold sections, and bring the last one into view if it says so."""
        for step in folding.folded:
            self._sections[step].set_open(False)
        for step in folding.opened:
            self._sections[step].set_open(True)
        if folding.scrolls:
            self._to_reveal = self._sections[folding.opened[-1]]
            self._reveal_later.start()

    @staticmethod
    def _show(section: Section, panel: Panel, state: SectionState) -> None:
        panel.gate.close(state.closed or state.blocked)
        if state.closed:
            section.set_open(False)
            section.set_status(state.closed, TODO)
        else:
            section.set_status(state.text, state.mark)

    def _reveal(self) -> None:
        # All of the section if there is room for it, but always its title.
        for part in (self._to_reveal, self._to_reveal.header):
            self._scroll.ensureWidgetVisible(part, 0, 0)
