"""The command `map`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace

from napari_spaceediting.commands.command import (
    Command,
    Report,
    add_session,
    chosen,
    load,
    save,
)
from napari_spaceediting.commands.terminal import run


def _add_arguments(parser: ArgumentParser) -> None:
    add_session(parser)
    parser.add_argument("--method", choices=["umap", "pca"])


def _map(options: Namespace) -> Report:
    session = load(options)
    settings = chosen(options, "method")
    session.set_map_settings(replace(session.state.map, **settings))
    drawn = run(session.mapping())
    session.take_map(drawn)
    save(session, options)
    quality = drawn.quality
    values = {
        "method": drawn.method,
        "seconds": drawn.seconds,
        "trustworthiness": quality.trustworthiness,
        "neighbourhood_preservation": quality.neighbourhood_preservation,
        "note": drawn.note,
    }
    words = (
        f"Drawn with {drawn.method} in {drawn.seconds:.1f} s; trustworthiness "
        f"{quality.trustworthiness:.3f}. {drawn.note}"
    )
    return Report(values, [words.rstrip()])


MAP = Command("map", "Draw the map of a session.", _add_arguments, _map)
