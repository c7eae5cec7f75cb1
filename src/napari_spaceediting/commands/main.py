"""Finds the command, runs it, and tells what it has done."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout

from napari_spaceediting import __version__
from napari_spaceediting.commands import (
    classes,
    decide,
    demo,
    evidence,
    export,
    guide,
    images,
    network,
    people,
    predict,
    retrain,
    select,
    traverse,
    window,
)
from napari_spaceediting.commands.command import Commands
from napari_spaceediting.commands.terminal import tell, tells, write_json
from napari_spaceediting.data.cache import cache_dir, caching_in
from napari_spaceediting.errors import (
    JobFailed,
    MapFailed,
    SessionError,
    SpaceEditingError,
    TrainingFailed,
)
from napari_spaceediting.memory import limited_to

_GROUPS = (
    demo,
    images,
    network,
    guide,
    select,
    classes,
    retrain,
    evidence,
    traverse,
    decide,
    export,
    predict,
    people,
    window,
)
"""In the order in which the help lists their commands."""

# argparse itself exits with 2 where it does not understand the command.
DONE, UNUSABLE, FAILED, INTERRUPTED = 0, 1, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = make_parser().parse_args(arguments)
    try:
        if int(os.environ.get("WORLD_SIZE", 1)) > 1 and not options.is_shared:
            raise SessionError(
                "Several processes can share the commands extract and retrain only: "
                "run this one without torchrun."
            )
        quiet = redirect_stdout(sys.stderr) if options.json == "-" else nullcontext()
        with limited_to(options.memory), caching_in(options.cache), quiet:
            cache_dir(tell)
            report = options.run(options)
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
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="napari-spaceediting",
        description="Teach a neural network by editing its latent space.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = Commands(parser)
    for group in _GROUPS:
        group.add_to(commands)
    return parser
