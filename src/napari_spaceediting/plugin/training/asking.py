"""What is asked before a training that takes long."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QMessageBox, QWidget

from napari_spaceediting.jobs.job import in_words
from napari_spaceediting.network.estimating import Duration

SAMPLE, START, NOT_NOW = "Train on a sample first", "Start", "Not now"


def ask_before(
    parent: QWidget,
    title: str,
    duration: Duration,
    n_images: int,
    sample: int,
    then: Callable[[str], object],
) -> QMessageBox:
    """Ask whether a training shall begin; the window goes on meanwhile.

    Parameters
    ----------
    parent : QWidget
        Whose window is asked.
    title : str
        What is about to begin.
    duration : Duration
        How long it takes.
    n_images : int
        Images that are open.
    sample : int
        Images of a sample that is offered; 0 for none.
    then : callable
        Takes the answer: `SAMPLE`, `START` or `NOT_NOW`.

    Returns
    -------
    QMessageBox
        The question, which is seen.
    """
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(title)
    box.setText(f"This takes {in_words(duration.seconds)}.")
    said = f"{duration.what}\n\n{duration.depends}"
    role = QMessageBox.ButtonRole
    offers = [(START, role.AcceptRole), (NOT_NOW, role.RejectRole)]
    if sample:
        part = duration.seconds * sample / n_images
        offers.insert(0, (SAMPLE, role.ActionRole))
        said += (
            f"\n\nA sample of {sample:,} images takes {in_words(part)}: a session of "
            "its own, to which the others can be added when you know that it is worth "
            "the time."
        )
    box.setInformativeText(said)
    buttons = {title: box.addButton(title, its_role) for title, its_role in offers}
    box.setDefaultButton(buttons[SAMPLE if sample else NOT_NOW])
    box.setEscapeButton(buttons[NOT_NOW])

    def end(_: int) -> None:
        box.deleteLater()
        clicked = box.clickedButton()  # none where it went away by itself
        then(next((title for title, one in buttons.items() if one is clicked), NOT_NOW))

    box.finished.connect(end)
    box.open()
    return box
