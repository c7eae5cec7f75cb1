"""Errors whose message is written for the person who uses the program."""

from __future__ import annotations


class SpaceEditingError(Exception):
    """Something the user can act on.

    The message is one sentence: what is wrong, where, and what to do. Every
    subclass can be built from that sentence alone, so that it survives being
    passed between processes.
    """


class DataError(SpaceEditingError):
    """Images, labels or tables cannot be used as they are."""


def reason_of(error: Exception) -> str:
    """Return the first line of what an error of a library says, or else its kind."""
    return (str(error).splitlines() or [type(error).__name__])[0]


class TrainingFailed(SpaceEditingError):
    """A training could not be finished."""


class MapFailed(SpaceEditingError):
    """The map could not be computed."""


class EditError(SpaceEditingError):
    """An edit cannot be applied."""


class SessionError(SpaceEditingError):
    """A session cannot be saved or opened."""


class QueryError(SpaceEditingError):
    """A condition on images cannot be read."""


class SessionBusy(SessionError):
    """Another program, or another window, has the session open for writing."""


class JobFailed(SpaceEditingError):
    """A background job ended with an error that no one foresaw."""


class JobCancelled(SpaceEditingError):
    """The user cancelled a background job."""
