"""Finds the command, runs it, and tells what it has done."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout

from napari_spaceediting import __version__
from napari_spaceediting.commands.decide import ACCEPT, ROLL_BACK
from napari_spaceediting.commands.demo import DEMO
from napari_spaceediting.commands.evidence import EVIDENCE
from napari_spaceediting.commands.guide import GUIDE
from napari_spaceediting.commands.images import ADD, NEW
from napari_spaceediting.commands.map import MAP
from napari_spaceediting.commands.network import EXTRACT, TRAIN
from napari_spaceediting.commands.retrain import RETRAIN
from napari_spaceediting.commands.terminal import tell, tells, write_json
from napari_spaceediting.commands.traverse import TRAVERSE
from napari_spaceediting.commands.window import OPEN
from napari_spaceediting.errors import (
    JobFailed,
    MapFailed,
    SessionError,
    SpaceEditingError,
    TrainingFailed,
)
from napari_spaceediting.memory import limited_to

COMMANDS = (
    DEMO,
    NEW,
    ADD,
    TRAIN,
    EXTRACT,
    MAP,
    GUIDE,
    RETRAIN,
    EVIDENCE,
    TRAVERSE,
    ACCEPT,
    ROLL_BACK,
    OPEN,
)
"""In the order in which the help lists them."""

# argparse itself exits with 2 where it does not understand the command.
DONE, UNUSABLE, FAILED, INTERRUPTED = 0, 1, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = make_parser().parse_args(arguments)
    try:
        if int(os.environ.get("WORLD_SIZE", 1)) > 1 and not options.command.is_shared:
            raise SessionError(
                "Several processes can share the commands extract and retrain only: "
                "run this one without torchrun."
            )
        quiet = redirect_stdout(sys.stderr) if options.json == "-" else nullcontext()
        with limited_to(options.memory), quiet:
            report = options.command.run(options)
            for line in report.words:
                tell(line)
        if options.json is not None and tells():
            write_json(options.json, report.values)
    except (TrainingFailed, MapFailed, JobFailed) as error:
        print(error, file=sys.stderr)
        return FAILED
    except SpaceEditingError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    except BrokenPipeError:
        # Whoever read the output had enough of it; nothing is left to flush into.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("Interrupted; what was saved before is as it was.", file=sys.stderr)
        return INTERRUPTED
    return DONE


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; what it gives names the `command`."""
    parser = argparse.ArgumentParser(
        prog="napari-spaceediting",
        description="Teach a neural network by editing its latent space.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    names = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        added = names.add_parser(
            command.name, help=command.summary, description=command.summary
        )
        added.set_defaults(command=command, json=None, memory=None)
        if command.has_outcome:
            added.add_argument(
                "--json",
                metavar="FILE",
                help="write the outcome as JSON ('-' prints only it)",
            )
            added.add_argument(
                "--memory",
                metavar="SIZE",
                help="what the images may take of it, such as 2GB (default 4GB)",
            )
        command.add_arguments(added)
    return parser
