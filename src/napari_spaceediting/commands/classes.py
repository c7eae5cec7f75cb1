"""The command `classes`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from napari_spaceediting.commands.command import Commands, Report

if TYPE_CHECKING:
    from napari_spaceediting.editing.edits import Edit
    from napari_spaceediting.session.session import Session


def add_to(commands: Commands) -> None:
    """Add it."""
    parser = commands.add_on_session(
        "classes",
        "List the classes of a session, or change them; then reject images, or take "
        "them back in.",
        _classes,
    )
    for name, arguments, summary in (
        ("rename", ("OLD", "NEW"), "give a class another name"),
        ("above", ("NAME", "ABOVE"), "put a class below another one, as a genus"),
        ("colour", ("NAME", "#RRGGBB"), "choose the colour of a class"),
        ("key", ("NAME", "KEY"), "choose the key of a class"),
    ):
        _repeated(parser, name, summary, metavar=arguments, nargs=2)
    _repeated(
        parser,
        "merge",
        "make one class, the first that is named, of others",
        metavar=("INTO", "NAME"),
        nargs="+",
    )
    _repeated(
        parser, "delete", "have a class no more; its images have none", metavar="NAME"
    )
    parser.add_argument("--order", nargs="+", metavar="NAME", help="have them first")
    for name, summary in (
        ("reject", "take images out of training, map and evidence"),
        ("restore", "take rejected images in again"),
    ):
        parser.add_argument(f"--{name}", nargs="+", metavar="ID", help=summary)
    _repeated(parser, "reject-class", "take all images of a class out", metavar="NAME")
    add_author(parser)


def add_author(parser: ArgumentParser) -> None:
    """Let a command be told who makes edits."""
    parser.add_argument(
        "--author", metavar="NAME", help="who makes the edits (default: your login)"
    )


def _repeated(parser: ArgumentParser, name: str, summary: str, **how: object) -> None:
    """Add an option that may be given several times."""
    how |= {"action": "append", "default": [], "help": summary}
    parser.add_argument(f"--{name}", **how)  # type: ignore[arg-type]


def _classes(session: Session, options: Namespace) -> Report:
    from napari_spaceediting.session.codec import edits_from

    if options.author is not None:
        session.author = options.author
    for edit in _edits_of(options):
        session.apply(edit)
    for kind, names in (("reject", options.reject), ("restore", options.restore)):
        if names:
            entry = {"kind": kind, "images": names}
            session.replay(edits_from([entry], session.dataset.ids))
    for name in options.reject_class:
        session.apply(session.rejecting(name))
    return report_on_classes(session)


def _edits_of(options: Namespace) -> list[Edit]:
    """Return the edits of classes that the options ask for, in one order."""
    from napari_spaceediting.editing.classes import (
        Delete,
        Merge,
        Rename,
        Reorder,
        Trait,
        TraitKind,
    )

    edits: list[Edit] = [Rename(old, new) for old, new in options.rename]
    edits += [Merge(tuple(names), into) for into, *names in options.merge]
    edits += [Delete(name) for name in options.delete]
    for kind in TraitKind:
        edits += [Trait(kind, {name: value}) for name, value in getattr(options, kind)]
    return edits + ([Reorder(tuple(options.order))] if options.order else [])


def report_on_classes(session: Session) -> Report:
    """Return what the classes are, and how many images each has."""
    values = [
        {
            "name": one.name,
            "above": one.above,
            "key": one.key,
            "colour": one.colour,
            "training": one.n_training,
            "held_out": one.n_held_out,
        }
        for one in session.classes()
    ]
    words = [
        f"{one.name}{f' ({one.above})' if one.above else ''}: {one.n_training:,} to "
        f"train, {one.n_held_out:,} held out"
        for one in session.classes()
    ]
    n_rejected = int(session.edits.rejected.sum())
    if n_rejected:
        words.append(f"Rejected: {n_rejected:,}")
    return Report({"classes": values, "rejected": n_rejected}, words)
