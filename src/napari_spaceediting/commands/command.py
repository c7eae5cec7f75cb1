"""What a command is, and what several of them need."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_spaceediting.commands.terminal import tell

if TYPE_CHECKING:
    from napari_spaceediting.session.session import Session


@dataclass(frozen=True)
class Report:
    """What a command has done.

    Parameters
    ----------
    values : dict or list
        For JSON.
    words : sequence of str
        For people, line by line.
    """

    values: dict[str, Any] | list[dict[str, Any]] | None = None
    words: Sequence[str] = ()


@dataclass(frozen=True)
class Command:
    """One command of the terminal.

    Parameters
    ----------
    name : str
        By which it is called.
    summary : str
        One sentence for the help.
    add_arguments : callable
        Adds its arguments to a parser.
    run : callable
        Does its work, from what was parsed.
    is_shared : bool
        Whether several processes can work on it together.
    has_outcome : bool
        Whether there is something to write as JSON.
    """

    name: str
    summary: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], Report]
    is_shared: bool = False
    has_outcome: bool = True


def count(text: str) -> int:
    """Return a number of things, 0 or more, or let argparse refuse it."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not 0, 1, 2, ...")
    return int(text)


def at_least_one(text: str) -> int:
    """Return a number of things, 1 or more, or let argparse refuse it."""
    if count(text) < 1:
        raise ArgumentTypeError("it must be at least 1")
    return int(text)


def add_session(parser: ArgumentParser) -> None:
    """Ask for a session."""
    parser.add_argument("session", type=Path, help="folder NAME.spaceediting")


def add_cache(parser: ArgumentParser) -> None:
    """Ask where frozen activations are kept."""
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="folder of frozen activations, which all processes must see",
    )


def chosen(options: Namespace, *names: str) -> dict[str, Any]:
    """Return the options that were given."""
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def load(options: Namespace) -> Session:
    """Open the session that was named."""
    from napari_spaceediting.session.session import Session
    from napari_spaceediting.session.storage import load_session

    return Session(load_session(options.session, tell))


def save(session: Session, options: Namespace) -> None:
    """Write the session back."""
    from napari_spaceediting.session.storage import save_session

    save_session(session.state, options.session)
