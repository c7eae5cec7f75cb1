"""The commands `train`, `extract` and `map`: a network for a session, and its map."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_spaceediting.commands.command import (
    Commands,
    Report,
    at_least_one,
    backbone,
    chosen,
)
from napari_spaceediting.commands.terminal import run, tell
from napari_spaceediting.wording import counted

if TYPE_CHECKING:
    from napari_spaceediting.session.session import Session

_BACKBONE = (
    "a network of ours, timm:NAME, a file with an exported network, or "
    "package.module:function (by default one that is in reach and suits the images)"
)
_MIRROR = (
    "average the features with those of the mirror image, where left and right mean "
    "nothing; reading the images takes twice as long"
)


def add_to(commands: Commands) -> None:
    """Add all three."""
    parser = commands.add_on_session("train", "Train the network of a session.", _train)
    parser.add_argument("--backbone", type=backbone, help=_BACKBONE)
    parser.add_argument("--weights", help="'pretrained' or a file")
    parser.add_argument("--mirror", action="store_true", help=_MIRROR)
    parser.add_argument("--epochs", type=at_least_one)
    parser.add_argument("--trainable", choices=["head", "last_block", "all"])
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"])
    parser = commands.add_on_session(
        "extract",
        "Compute what the frozen part of the network gives.",
        _extract,
        saves=False,
        is_shared=True,
    )
    parser.add_argument(
        "--backbone", type=backbone, help="where the session has no network yet"
    )
    parser.add_argument("--weights", help="'pretrained' or a file")
    parser.add_argument("--mirror", action="store_true", help=f"there: {_MIRROR}")
    parser.add_argument(
        "--trainable",
        choices=["head", "last_block"],
        default="head",
        help="what is to train later (default head)",
    )
    parser = commands.add_on_session("map", "Draw the map of a session.", _map)
    parser.add_argument("--method", choices=["umap", "pca"])


def _train(session: Session, options: Namespace) -> Report:
    from napari_spaceediting.network.estimating import HowLong
    from napari_spaceediting.network.spec import (
        ClassifierSpec,
        usually_trains,
        with_usual_layout,
    )

    settings = chosen(options, "epochs", "device")
    session.set_train_settings(replace(session.state.train, **settings))
    why = []
    if options.backbone is None and options.weights is None:
        found = run(session.suggesting())
        spec = found.spec
        why = [f"{spec.backbone}: {found.why}"]
    else:
        spec = ClassifierSpec(options.backbone or "small_cnn", options.weights)
    spec = replace(spec, mirror=options.mirror)
    trainable = options.trainable or usually_trains(spec)
    session.set_train_settings(replace(session.state.train, trainable=trainable))
    job = session.training(with_usual_layout(spec, trainable))
    duration = run(HowLong(job.dataset, job.spec, job.settings))
    if duration.is_long:
        tell(str(duration), to=sys.stderr)
    trained = run(job)
    session.take_network(trained)
    accuracy = trained.train.accuracy
    values = {
        "backbone": trained.spec.backbone,
        "why": why,
        "epochs": len(trained.train.history),
        "validation_accuracy": accuracy,
        "device": trained.train.device,
        "seconds": trained.train.seconds,
        "notes": list(trained.notes),
    }
    words = (
        f"Trained {trained.spec.backbone} on {trained.train.device} in "
        f"{trained.train.seconds:.1f} s"
        + ("." if accuracy is None else f"; validation accuracy {accuracy:.3f}.")
    )
    return Report(values, [*why, *trained.notes, words])


def _extract(session: Session, options: Namespace) -> Report:
    from napari_spaceediting.network.jobs import ExtractActivations
    from napari_spaceediting.network.processes import launched

    device = session.state.train.device
    spec, state = session.network_or(
        options.backbone, options.weights, mirror=options.mirror
    )
    job = ExtractActivations(session.dataset, spec, state, device, options.trainable)
    with launched(device) as crew:
        found = run(job)
    values = {
        "images": found.shape[0],
        "shape": list(found.shape[1:]),
        "computed": found.n_computed,
        "processes": crew.size,
        "seconds": found.seconds,
    }
    outputs = " x ".join(map(str, found.shape[1:]))
    words = (
        f"Every one of the {found.shape[0]:,} images has its activations ({outputs}); "
        f"{found.n_computed:,} were computed by "
        f"{counted(crew.size, 'process')} in {found.seconds:.1f} s."
    )
    return Report(values, [words])


def _map(session: Session, options: Namespace) -> Report:
    settings = chosen(options, "method")
    session.set_map_settings(replace(session.state.map, **settings))
    drawn = run(session.mapping())
    session.take_map(drawn)
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
