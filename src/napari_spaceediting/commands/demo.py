"""The command `demo`."""

from __future__ import annotations

import textwrap
from argparse import Namespace
from pathlib import Path

from napari_spaceediting.commands.command import Commands, Report
from napari_spaceediting.commands.evidence import evidence_in_words
from napari_spaceediting.commands.terminal import run
from napari_spaceediting.commands.window import napari_needed


def add_to(commands: Commands) -> None:
    """Add it."""
    parser = commands.add("demo", "Show the main job on the embedded sample.", _demo)
    parser.add_argument("--headless", action="store_true", help="without a window")
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="FILE",
        help="PNG of the map before and after (headless)",
    )
    parser.add_argument("--seed", type=int, default=0)


def _demo(options: Namespace) -> Report:
    from napari_spaceediting.commands.demonstration import LABELS_PER_CLASS, run_demo
    from napari_spaceediting.commands.picture import draw_round

    if not options.headless:
        with napari_needed():
            from napari_spaceediting.plugin.launch import launch_sample
        launch_sample("digits", LABELS_PER_CLASS)
        return Report()
    session, values = run_demo(options.seed, run)
    last = session.state.rounds[-1]
    seconds = ", ".join(f"{name} {s:.1f}" for name, s in values["seconds"].items())
    lines = [
        f"{values['dataset']}: {values['images']:,} images; the training images keep "
        f"{LABELS_PER_CLASS} labels per class.",
        f"A simulated expert {values['expert']}.",
        f"With {values['actions']} actions it gave {values['edited_images']} images "
        "a class.",
        f"Seconds: {seconds}.",
    ]
    words = [
        *(textwrap.fill(line, 79) for line in lines),
        "",
        *evidence_in_words(last.evidence),
    ]
    if options.picture is not None:
        draw_round(last, options.picture, session.dataset.held_out)
        words += ["", f"The map before and after: {options.picture}"]
    return Report(values, words)
