"""Work in threads beside the window, whose outcome is taken on the window's thread.

napari's own workers are not used: where two of them overlap, they leave the handling of
warnings to one that is gone, and an unforeseen error ends in nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from qtpy.QtCore import QObject, Qt, Signal

from napari_spaceediting.errors import SpaceEditingError

R = TypeVar("R")
P = TypeVar("P")

FAULT = "This failed by a fault of the program; what it says of it can be reported."


@dataclass(frozen=True)
class Failure:
    """An error on its way to the window's thread."""

    error: SpaceEditingError


def in_thread(
    work: Callable[[], R],
    then: Callable[[R], None],
    failed: Callable[[SpaceEditingError], None],
) -> None:
    """Do something in a thread of its own.

    Parameters
    ----------
    work : callable
        What to do; it touches nothing that changes.
    then : callable
        Takes its result, on the window's thread.
    failed : callable
        Takes the error instead, on the window's thread.
    """

    def end(outcome: Any) -> None:
        if isinstance(outcome, Failure):
            failed(outcome.error)
        else:
            then(outcome)

    start(lambda _: work(), end)


def start(
    work: Callable[[Callable[[P], None]], R],
    end: Callable[[R | Failure], None],
    report: Callable[[P], None] = lambda _: None,
) -> None:
    """Start a thread.

    Parameters
    ----------
    work : callable
        What to do; it is given what hands its progress over.
    end, report : callable
        Take the result, or the failure, and the progress, on the window's thread. They
        are let go when it ends: the thread may outlive its window.
    """
    post = _posts().said.emit
    waiting = [(work, end, report)]

    def tell(progress: P) -> None:
        post(lambda: [report(progress) for _, _, report in waiting])

    def run() -> None:
        outcome: R | Failure = Failure(SpaceEditingError(FAULT))
        try:
            outcome = waiting[0][0](tell)
        except SpaceEditingError as error:
            outcome = Failure(error)
        finally:
            # Of any other error Python tells, and napari shows it.
            post(lambda: waiting.pop()[1](outcome))

    threading.Thread(target=run, name="spaceediting", daemon=True).start()


class _Posts(QObject):
    """Calls what any thread says on the thread that it lives in, in that order."""

    said = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.said.connect(self._call, Qt.ConnectionType.QueuedConnection)

    def _call(self, said: Callable[[], object]) -> None:
        said()


@cache
def _posts() -> _Posts:
    """Return the one that lives on the window's thread, which asks first."""
    return _Posts()
