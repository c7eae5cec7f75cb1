"""What a command of the terminal is, and how one is written."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_spaceediting.commands.terminal import tell, tells
from napari_spaceediting.errors import SessionBusy, SessionError

if TYPE_CHECKING:
    from napari_spaceediting.session.folder import SessionFolder
    from napari_spaceediting.session.session import Session
    from napari_spaceediting.session.state import SessionState


@dataclass(frozen=True)
class Report:
    """What a command has done: values for JSON, and lines for people."""

    values: Any = None
    words: Sequence[str] = ()


class Commands:
    """The commands of a parser."""

    def __init__(self, parser: ArgumentParser) -> None:
        self._parsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        self,
        name: str,
        summary: str,
        run: Callable[[Namespace], Report],
        *,
        is_shared: bool = False,
        has_outcome: bool = True,
    ) -> ArgumentParser:
        """Add a command, and return what takes its arguments.

        Parameters
        ----------
        name : str
            By which it is called.
        summary : str
            One sentence for the help.
        run : callable
            Does its work, from what was parsed.
        is_shared : bool
            Whether several processes can work on it together.
        has_outcome : bool
            Whether there is anything to write as JSON.
        """
        parser = self._parsers.add_parser(name, help=summary, description=summary)
        parser.set_defaults(
            run=run, is_shared=is_shared, json=None, memory=None, cache=None
        )
        if has_outcome:
            parser.add_argument(
                "--json",
                metavar="FILE",
                help="write the outcome as JSON ('-' prints only it)",
            )
            parser.add_argument(
                "--memory",
                metavar="SIZE",
                help="what the images may take of it, such as 2GB (default 4GB)",
            )
            parser.add_argument(
                "--cache",
                type=Path,
                metavar="DIR",
                help="folder of caches, which all processes must see",
            )
        return parser

    def add_on_session(
        self,
        name: str,
        summary: str,
        work: Callable[[Session, Namespace], Report],
        *,
        saves: bool = True,
        is_shared: bool = False,
    ) -> ArgumentParser:
        """Add a command that works on a session, and may save what it has changed."""

        def run(options: Namespace) -> Report:
            from napari_spaceediting.network.trust import trust
            from napari_spaceediting.session.folder import SessionFolder
            from napari_spaceediting.session.session import Session

            # What the user names himself is meant to be run.
            for said in options.trust_backbone, getattr(options, "backbone", None):
                if said is not None:
                    trust(said)
            # Of several processes one saves; the others must not read an older state
            # than it does, which it might if it waited.
            is_writer = saves and tells()
            try:
                folder = SessionFolder.open(
                    options.session,
                    is_read_only=not is_writer,
                    waits=is_writer and options.wait,
                    program=f"the command {name}",
                )
            except SessionBusy as error:
                words = str(error).removesuffix(".")
                raise SessionBusy(f"{words}, or wait for it (--wait).") from None
            with folder:
                session = Session(folder.load(tell))
                report = work(session, options)
                if is_writer:
                    _save(folder, session.state)
            return report

        parser = self.add(name, summary, run, is_shared=is_shared)
        parser.add_argument("session", type=Path, help="folder NAME.spaceediting")
        parser.add_argument(
            "--trust-backbone",
            type=backbone,
            metavar="NAME",
            help="run the code that the session names as its backbone, from now on",
        )
        if saves:
            parser.add_argument(
                "--wait",
                action="store_true",
                help="wait for whoever has the session open",
            )
        return parser


def _save(folder: SessionFolder, state: SessionState) -> None:
    """Save a session in its place; where it went elsewhere, that is an error."""
    said: list[str] = []
    place = folder.save(state, said.append)
    if place is not folder:
        place.close()
        raise SessionError(*said)


def chosen(options: Namespace, *names: str) -> dict[str, Any]:
    """Return the options that were given."""
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def count(text: str) -> int:
    """Return a number of things, 0 or more, or let argparse refuse it."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not 0, 1, 2, ...")
    return int(text)


def backbone(text: str) -> str:
    """Return the name of the backbone that a user means."""
    from napari_spaceediting.network.trust import named

    return named(text)


def at_least_one(text: str) -> int:
    """Return a number of things, 1 or more, or let argparse refuse it."""
    if count(text) < 1:
        raise ArgumentTypeError("it must be at least 1")
    return int(text)
