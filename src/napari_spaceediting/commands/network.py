"""The commands `train` and `extract`: a network for a session."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from math import isnan

from napari_spaceediting.commands.command import (
    Command,
    Report,
    add_cache,
    add_session,
    at_least_one,
    chosen,
    load,
    save,
)
from napari_spaceediting.commands.terminal import run


def _add_arguments_of_train(parser: ArgumentParser) -> None:
    add_session(parser)
    parser.add_argument("--backbone", default="small_cnn")
    parser.add_argument("--weights", help="'pretrained' or a file")
    parser.add_argument("--epochs", type=at_least_one)
    parser.add_argument("--trainable", choices=["head", "last_block", "all"])
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"])


def _train(options: Namespace) -> Report:
    from napari_spaceediting.network.spec import ClassifierSpec

    session = load(options)
    settings = chosen(options, "epochs", "trainable", "device")
    session.set_train_settings(replace(session.state.train, **settings))
    spec = ClassifierSpec(backbone=options.backbone, weights=options.weights)
    trained = run(session.training(spec))
    session.take_network(trained)
    save(session, options)
    history = trained.train.history
    measured = [
        e.validation_accuracy for e in history if not isnan(e.validation_accuracy)
    ]
    values = {
        "epochs": len(history),
        "validation_accuracy": max(measured, default=None),
        "device": trained.train.device,
        "seconds": trained.train.seconds,
        "notes": list(trained.notes),
    }
    words = (
        f"Trained {trained.spec.backbone} on {trained.train.device} in "
        f"{trained.train.seconds:.1f} s"
        + (f"; validation accuracy {max(measured):.3f}." if measured else ".")
    )
    return Report(values, [*trained.notes, words])


def _add_arguments_of_extract(parser: ArgumentParser) -> None:
    add_session(parser)
    parser.add_argument("--backbone", help="where the session has no network yet")
    parser.add_argument("--weights", help="'pretrained' or a file")
    parser.add_argument(
        "--trainable",
        choices=["head", "last_block"],
        default="head",
        help="what is to train later (default head)",
    )
    add_cache(parser)


def _extract(options: Namespace) -> Report:
    from napari_spaceediting.network.jobs import ExtractActivations
    from napari_spaceediting.network.processes import launched

    session = load(options)
    device = session.state.train.device
    spec, state = session.network_or(options.backbone, options.weights)
    job = ExtractActivations(
        session.dataset, spec, state, options.trainable, device, options.cache
    )
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
        f"{found.n_computed:,} were computed by {crew.size} "
        f"process{'es' * (crew.size > 1)} in {found.seconds:.1f} s."
    )
    return Report(values, [words])


TRAIN = Command(
    "train", "Train the network of a session.", _add_arguments_of_train, _train
)
EXTRACT = Command(
    "extract",
    "Compute what the frozen part of the network gives.",
    _add_arguments_of_extract,
    _extract,
    is_shared=True,
)
