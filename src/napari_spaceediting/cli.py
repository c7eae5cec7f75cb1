"""The command line: the same work as in the window, without one.

Exit codes: 0 done; 1 the input, the session or an edit cannot be used; 2 the command
is not understood; 3 a training or a map failed; 130 interrupted.

What was done is told on the standard output, progress and errors on the standard
error. With ``--json -`` nothing but the JSON is on the standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tqdm import tqdm

from napari_spaceediting import __version__
from napari_spaceediting.editing.arms import ARMS, BEFORE, comparisons
from napari_spaceediting.editing.settings import OBJECTIVES
from napari_spaceediting.errors import (
    EditError,
    JobFailed,
    MapFailed,
    SessionError,
    SpaceEditingError,
    TrainingFailed,
)
from napari_spaceediting.jobs.job import Job, Progress, run_job
from napari_spaceediting.memory import limited_to
from napari_spaceediting.traversal.settings import FITTING, NEIGHBOURS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_spaceediting.data.dataset import ImageDataset
    from napari_spaceediting.editing.edits import Edit
    from napari_spaceediting.editing.evidence import Evidence
    from napari_spaceediting.session.session import Session

R = TypeVar("R")

# argparse itself exits with 2 where it does not understand the command.
DONE, UNUSABLE, FAILED, INTERRUPTED = 0, 1, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        if int(os.environ.get("WORLD_SIZE", 1)) > 1 and options.run not in _SHARED:
            raise SessionError(
                "Several processes can share the commands extract and retrain only: "
                "run this one without torchrun."
            )
        quiet = redirect_stdout(sys.stderr) if options.json == "-" else nullcontext()
        with limited_to(options.memory), quiet:
            report = options.run(options)
        if options.json is not None and _tells():
            _write_json(options.json, report)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-spaceediting",
        description="Teach a neural network by editing its latent space.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], Any], summary: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(run=run, json=None, memory=None)
        if run is not _open:
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
        return added

    demo = command("demo", _demo, "Show the main job on the embedded sample.")
    demo.add_argument("--headless", action="store_true", help="without a window")
    demo.add_argument(
        "--picture",
        type=Path,
        metavar="FILE",
        help="PNG of the map before and after (headless)",
    )
    demo.add_argument("--seed", type=int, default=0)

    new = command("new", _new, "Start a session on a folder, table or array of images.")
    new.add_argument("data", help="path, or sample:digits, sample:poses, ...")
    _add_session(new)
    new.add_argument("--seed", type=int, default=0)
    new.add_argument(
        "--labels-per-class", type=_count, metavar="N", help="hide all other labels"
    )

    add = command("add", _add, "Add images to a session, on its map as it is.")
    _add_session(add)
    add.add_argument("data", type=Path, help="folder, table or array")

    train = command("train", _train, "Train the network of a session.")
    _add_session(train)
    train.add_argument("--backbone", default="small_cnn")
    train.add_argument("--weights", help="'pretrained' or a file")
    train.add_argument("--epochs", type=_at_least_one)
    train.add_argument("--trainable", choices=["head", "last_block", "all"])
    train.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"])

    extract = command(
        "extract", _extract, "Compute what the frozen part of the network gives."
    )
    _add_session(extract)
    extract.add_argument("--backbone", help="where the session has no network yet")
    extract.add_argument("--weights", help="'pretrained' or a file")
    extract.add_argument(
        "--trainable",
        choices=["head", "last_block"],
        default="head",
        help="what is to train later (default head)",
    )
    _add_cache(extract)

    draw = command("map", _map, "Draw the map of a session.")
    _add_session(draw)
    draw.add_argument("--method", choices=["umap", "pca"])

    guide = command("guide", _guide, "List what is worth a decision.")
    _add_session(guide)
    guide.add_argument(
        "-n", type=_at_least_one, default=20, help="proposals (default 20)"
    )

    retrain = command("retrain", _retrain, "Retrain with the edits of a session.")
    _add_session(retrain)
    retrain.add_argument(
        "--edits", type=Path, metavar="FILE", help="JSON list of edits to add first"
    )
    retrain.add_argument("--objective", choices=OBJECTIVES)
    retrain.add_argument("--steps", type=_at_least_one)
    retrain.add_argument(
        "--arms",
        nargs="*",
        choices=comparisons(),
        metavar="ARM",
        help=f"compare with any of {', '.join(comparisons())}, or with nothing",
    )
    retrain.add_argument(
        "--repeats",
        type=_at_least_one,
        metavar="N",
        help="repeat all of it over N seeds",
    )
    retrain.add_argument("--accept", action="store_true", help="accept the round")
    _add_cache(retrain)

    evidence = command("evidence", _evidence, "Show what a round did.")
    _add_session(evidence)
    evidence.add_argument(
        "--round", type=_at_least_one, help="from 1; the last by default"
    )

    traverse = command(
        "traverse", _traverse, "Show what would make images those of another kind."
    )
    _add_session(traverse)
    traverse.add_argument(
        "--images", nargs="+", required=True, metavar="ID", help="images to move"
    )
    goal = traverse.add_mutually_exclusive_group(required=True)
    goal.add_argument("--to", metavar="CLASS", help="class to move them to")
    goal.add_argument(
        "--to-images", nargs="+", metavar="ID", help="group of images to move them to"
    )
    traverse.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the images"
    )
    traverse.add_argument(
        "--method",
        choices=["dmt", "dfi"],
        default="dmt",
        help="manifold traversal (default) or feature interpolation, which is simpler",
    )
    traverse.add_argument(
        "--neighbours",
        type=lambda text: (None if text == "all" else _at_least_one(text),),
        default=FITTING,
        metavar="N",
        help="only the N nearest images of each kind pull it, or 'all' (default: "
        f"{NEIGHBOURS} or all, whichever takes it there with less change)",
    )
    traverse.add_argument(
        "--features-alone",
        action="store_true",
        help="hold them to no mixture of real ones: for objects that do not lie alike",
    )
    traverse.add_argument(
        "--layers", nargs="+", metavar="NAME", help="modules that make the features"
    )

    for name, run, summary in (
        ("accept", _accept, "Accept the round that awaits a decision."),
        ("roll-back", _roll_back, "Go back to before the last round that stands."),
    ):
        _add_session(command(name, run, summary))

    show = command("open", _open, "Open a session or images in napari.")
    show.add_argument("path", type=Path)
    return parser


def _count(text: str) -> int:
    """Return a number of things, 0 or more, or let argparse refuse it."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not 0, 1, 2, ...")
    return int(text)


def _at_least_one(text: str) -> int:
    if _count(text) < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return int(text)


def _add_session(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", type=Path, help="folder NAME.spaceediting")


def _add_cache(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="folder of frozen activations, which all processes must see",
    )


def _demo(options: argparse.Namespace) -> dict[str, Any] | None:
    if not options.headless:
        with _napari_needed():
            from napari_spaceediting.plugin.launch import launch_demo
        launch_demo()
        return None
    from napari_spaceediting.demo import LABELS_PER_CLASS, run_demo
    from napari_spaceediting.picture import draw_round

    with _Bar() as bar:
        report = run_demo(options.seed, on_progress=bar.show)
    values = report.to_dict()
    seconds = ", ".join(f"{name} {value:.1f}" for name, value in report.seconds.items())
    lines = [
        f"{values['dataset']}: {values['images']:,} images; the training images keep "
        f"{LABELS_PER_CLASS} labels per class.",
        f"A simulated expert {values['expert']}.",
        f"With {values['actions']} actions it gave {values['edited_images']} images "
        "a class.",
        f"Seconds: {seconds}.",
    ]
    for line in lines:
        print(textwrap.fill(line, 79))
    print()
    _print_evidence(report.evidence)
    if options.picture is not None:
        state = report.session.state
        draw_round(state.rounds[-1], options.picture, state.dataset.held_out)
        print(f"\nThe map before and after: {options.picture}")
    return values


def _new(options: argparse.Namespace) -> dict[str, Any]:
    import numpy as np

    from napari_spaceediting.data.open import OpenDataset, OpenSample
    from napari_spaceediting.session.session import new_session
    from napari_spaceediting.session.storage import SUFFIX

    if options.session.suffix != SUFFIX:
        raise SessionError(
            f"'{options.session}' is no name for a session: let it end in {SUFFIX}."
        )
    if options.session.exists():
        raise SessionError(
            f"{options.session} exists already: choose another name, or go on with it."
        )
    kind, _, name = options.data.partition(":")
    if kind == "sample" and name:
        job: Job[Any] = OpenSample(name, seed=options.seed)
    else:
        job = OpenDataset(Path(options.data), seed=options.seed)
    dataset = _run(job)
    if options.labels_per_class is not None:
        dataset = dataset.keep_labels(
            options.labels_per_class, np.random.default_rng(options.seed)
        )
    print(dataset.describe())
    session = new_session(dataset, seed=options.seed)
    _save(session, options)
    return {
        "images": len(dataset),
        "labelled": int(dataset.is_labelled.sum()),
        "classes": list(dataset.class_names),
        "skipped": [[entry.name, entry.reason] for entry in dataset.skipped],
        "notes": list(dataset.notes),
    }


def _add(options: argparse.Namespace) -> dict[str, Any]:
    session = _session(options)
    added = _run(session.adding(options.data))
    session.take_images(added)
    _save(session, options)
    more, n_images = added.more, len(session.dataset)
    n_labelled = int(more.is_labelled.sum())
    skipped = [[entry.name, entry.reason] for entry in more.skipped]
    print(
        f"Added {len(more):,} images, {n_labelled:,} of them labelled; the session has "
        f"{n_images:,}."
    )
    for name, reason in skipped[:5]:
        print(f"Left out {name}: {reason}")
    return {
        "added": len(more),
        "labelled": n_labelled,
        "images": n_images,
        "skipped": skipped,
    }


def _train(options: argparse.Namespace) -> dict[str, Any]:
    from napari_spaceediting.network.spec import ClassifierSpec

    session = _session(options)
    chosen = _chosen(options, "epochs", "trainable", "device")
    session.set_train_settings(replace(session.state.train, **chosen))
    spec = ClassifierSpec(backbone=options.backbone, weights=options.weights)
    trained = _run(session.training(spec))
    session.take_network(trained)
    _save(session, options)
    for note in trained.notes:
        print(note)
    history = trained.train.history
    measured = [
        e.validation_accuracy for e in history if not isnan(e.validation_accuracy)
    ]
    print(
        f"Trained {trained.spec.backbone} on {trained.train.device} in "
        f"{trained.train.seconds:.1f} s"
        + (f"; validation accuracy {max(measured):.3f}." if measured else ".")
    )
    return {
        "epochs": len(history),
        "validation_accuracy": max(measured, default=None),
        "device": trained.train.device,
        "seconds": trained.train.seconds,
        "notes": list(trained.notes),
    }


def _extract(options: argparse.Namespace) -> dict[str, Any]:
    from napari_spaceediting.network.jobs import ExtractActivations
    from napari_spaceediting.network.processes import launched

    session = _session(options)
    device = session.state.train.device
    spec, state = session.network_or(options.backbone, options.weights)
    job = ExtractActivations(
        session.dataset, spec, state, options.trainable, device, options.cache
    )
    with launched(device) as crew:
        found = _run(job)
    outputs = " x ".join(map(str, found.shape[1:]))
    _tell(
        f"Every one of the {found.shape[0]:,} images has its activations ({outputs}); "
        f"{found.n_computed:,} were computed by {crew.size} "
        f"process{'es' * (crew.size > 1)} in {found.seconds:.1f} s."
    )
    return {
        "images": found.shape[0],
        "shape": list(found.shape[1:]),
        "computed": found.n_computed,
        "processes": crew.size,
        "seconds": found.seconds,
    }


def _map(options: argparse.Namespace) -> dict[str, Any]:
    session = _session(options)
    chosen = _chosen(options, "method")
    session.set_map_settings(replace(session.state.map, **chosen))
    drawn = _run(session.mapping())
    session.take_map(drawn)
    _save(session, options)
    quality = drawn.quality
    print(
        f"Drawn with {drawn.method} in {drawn.seconds:.1f} s; trustworthiness "
        f"{quality.trustworthiness:.3f}. {drawn.note}".rstrip()
    )
    return {
        "method": drawn.method,
        "seconds": drawn.seconds,
        "trustworthiness": quality.trustworthiness,
        "neighbourhood_preservation": quality.neighbourhood_preservation,
        "note": drawn.note,
    }


def _guide(options: argparse.Namespace) -> list[dict[str, Any]]:
    session = _session(options)
    proposals = _run(session.guiding(options.n))
    ids = session.dataset.ids
    for number, proposal in enumerate(proposals, 1):
        more = f" and {len(proposal.indices) - 1} more" * (len(proposal.indices) > 1)
        print(f"{number:3} {ids[proposal.indices[0]]}{more}: {proposal.reason}")
    return [
        {
            "kind": proposal.kind.value,
            "images": ids[proposal.indices].tolist(),
            "reason": proposal.reason,
            "tag": proposal.tag,
            "place": None if proposal.place is None else proposal.place.tolist(),
            "score": proposal.score,
        }
        for proposal in proposals
    ]


def _retrain(options: argparse.Namespace) -> dict[str, Any]:
    from napari_spaceediting.editing.contradictions import describe as in_words
    from napari_spaceediting.network.processes import launched

    session = _session(options)
    session.cache_dir = options.cache
    if options.edits is not None:
        session.replay(_read_edits(options.edits, session.dataset.ids))
    chosen = _chosen(options, "objective", "steps", "repeats")
    if options.arms is not None:
        chosen["arms"] = tuple(dict.fromkeys(options.arms))
    session.set_retrain_settings(replace(session.state.retrain, **chosen))
    for contradiction in session.contradictions():
        _tell(f"Beware: {in_words(contradiction, session.dataset.ids)}")
    with launched(session.state.retrain.device):
        mapped = _run(session.retraining())
    if not _tells():
        return {}
    session.propose(mapped)
    if options.accept:
        session.accept()
    _save(session, options)
    _print_evidence(mapped.result.evidence)
    if mapped.map.note:
        print(mapped.map.note)
    if not options.accept:
        print("The round awaits a decision: see the commands accept and roll-back.")
    return _evidence_values(session, len(session.state.rounds))


def _evidence(options: argparse.Namespace) -> dict[str, Any]:
    session = _session(options)
    n_rounds = len(session.state.rounds)
    number = n_rounds if options.round is None else options.round
    if not 1 <= number <= n_rounds:
        raise SessionError(
            f"There is no round {number}: choose one from 1 to {n_rounds}."
            if n_rounds
            else "The session has no round yet: retrain first."
        )
    _print_evidence(session.state.rounds[number - 1].evidence)
    return _evidence_values(session, number)


def _traverse(options: argparse.Namespace) -> dict[str, Any]:
    from napari_spaceediting.traversal.export import write_traversal
    from napari_spaceediting.traversal.settings import TraverseSettings

    session = _session(options)
    dataset = session.dataset
    images = _indices(dataset, options.images)
    group = options.to_images
    settings = TraverseSettings(
        method=options.method,
        neighbours=options.neighbours,
        layers=None if options.layers is None else tuple(options.layers),
        seed=session.state.seed,
        device=session.state.train.device,
    )
    if options.features_alone:
        settings = settings.from_features_alone()
    target = options.to if group is None else _indices(dataset, group)
    job = session.traversing(images, target, settings)
    traversal = _run(job)
    kept = session.keep(job, traversal)
    values = write_traversal(traversal, kept.asked, dataset, options.out)
    _save(session, options)
    for note in traversal.notes:
        print(f"Beware: {note}")
    for entry in values["images"]:
        seen = entry["probabilities"]["to"]
        likely = "" if seen is None else f", {seen[0]:.0%} to {seen[-1]:.0%}"
        print(f"{entry['id']}: {entry['from']} to {entry['to']}{likely}")
    count = "1 image" if len(images) == 1 else f"{len(images)} images"
    print(
        f"Moved {count} in {traversal.seconds:.1f} s; the filmstrips are in "
        f"{options.out}."
    )
    return values


def _indices(dataset: ImageDataset, names: Sequence[str]) -> NDArray[np.int64]:
    """Return the indices of images by their ids, each once."""
    import numpy as np

    index_of = {str(name): at for at, name in enumerate(dataset.ids)}
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in index_of]
    if unknown:
        raise SessionError(
            f'There is no image "{unknown[0]}" in {dataset.name}: give ids as the '
            "command guide lists them."
        )
    return np.array([index_of[name] for name in wanted], np.int64)


def _accept(options: argparse.Namespace) -> dict[str, Any]:
    session = _session(options)
    session.accept()
    _save(session, options)
    print("The round is accepted: the next edits start from it.")
    return _decisions(session)


def _roll_back(options: argparse.Namespace) -> dict[str, Any]:
    session = _session(options)
    session.roll_back()
    _save(session, options)
    n_open = len(session.state.log.done)
    again = "1 edit is" if n_open == 1 else f"{n_open} edits are"
    print(f"Rolled back; {again} open again.")
    return _decisions(session)


def _decisions(session: Session) -> dict[str, Any]:
    return {
        "rounds": [past.status.value for past in session.state.rounds],
        "open_edits": len(session.state.log.done),
    }


def _open(options: argparse.Namespace) -> None:
    with _napari_needed():
        from napari_spaceediting.plugin.launch import launch
    launch(options.path)


@contextmanager
def _napari_needed() -> Iterator[None]:
    """Say what to install where there is no napari or no Qt."""
    try:
        yield
    except ImportError as error:
        raise SpaceEditingError(
            f"There is no window to open ({error}): install napari with "
            "'pip install napari-spaceediting[all]'."
        ) from error


def _session(options: argparse.Namespace) -> Session:
    from napari_spaceediting.session.session import Session
    from napari_spaceediting.session.storage import load_session

    return Session(load_session(options.session))


def _save(session: Session, options: argparse.Namespace) -> None:
    from napari_spaceediting.session.storage import save_session

    save_session(session.state, options.session)


def _chosen(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the options that were given."""
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _read_edits(path: Path, ids: NDArray[np.str_]) -> list[Edit]:
    from napari_spaceediting.editing.edits import edit_from_dict

    try:
        entries = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EditError(
            f"The edits in {path} cannot be read ({error}): give a JSON file."
        ) from error
    if not isinstance(entries, list):
        raise EditError(
            f"{path} holds no list of edits: write [{{'kind': 'pin', 'images': [...], "
            "'tag': ...}, ...] as JSON."
        )
    index_of = {str(name): at for at, name in enumerate(ids)}
    return [edit_from_dict(entry, index_of) for entry in entries]


def _evidence_values(session: Session, number: int) -> dict[str, Any]:
    from napari_spaceediting.editing.evidence import evidence_to_dict

    past = session.state.rounds[number - 1]
    ids = session.dataset.ids
    values = evidence_to_dict(past.evidence)
    for name in ("fixed", "broken", "edited"):
        values[name] = ids[getattr(past.evidence, name)].tolist()
    return {
        "round": number,
        "status": past.status.value,
        "verdict": past.evidence.verdict(),
        "headroom_share": past.evidence.headroom_share,
        **values,
    }


def _print_evidence(evidence: Evidence) -> None:
    repeated = bool(evidence.over_seeds)
    if evidence.arms:
        first = ", first repetition" if repeated else ""
        print(
            f"Accuracy on {evidence.n_images:,} {evidence.measured_on} images{first}:"
        )
    for name, arm in ARMS.items():
        if name in evidence.arms:
            score = evidence.arms[name]
            low, high = score.interval
            told = f"{score.accuracy:6.1%}   95% interval {low:.1%} to {high:.1%}"
            print(f"  {name:9} {told:40}   {arm.how}".rstrip())
    if BEFORE in evidence.arms:
        print(
            f"  {len(evidence.fixed)} of the images were fixed and "
            f"{len(evidence.broken)} broken since before."
        )
    if evidence.over:
        often = f", over {evidence.seeds} repetitions" if repeated else ""
        print(f"Points that after is better than the others{often}:")
    for name in ARMS:
        gain = evidence.gain_over(name)
        if gain is not None:
            low, value, high = (100 * x for x in (gain.low, gain.value, gain.high))
            print(f"  {name:9} {value:+6.1f}   95% interval {low:+.1f} to {high:+.1f}")
    print(textwrap.fill(evidence.verdict(), 79))


_SHARED = _extract, _retrain
"""Commands that several processes can work on together."""


def _tells() -> bool:
    """Whether this is the process, of several, that writes and tells."""
    return int(os.environ.get("RANK", 0)) == 0


def _tell(text: str) -> None:
    if _tells():
        print(text)


def _run(job: Job[R]) -> R:
    if not _tells():
        return run_job(job)
    with _Bar() as bar:
        return run_job(job, lambda progress: bar.show(job.name, progress))


class _Bar:
    """A progress bar on the terminal, one line for each stage."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, stage: str, progress: Progress) -> None:
        """Show the progress of a stage; `total` may change while it runs."""
        if self._bar is None or stage != self._stage:
            self.__exit__()
            self._stage = stage
            # Quiet where the standard error is no terminal.
            self._bar = tqdm(
                desc=stage, file=sys.stderr, dynamic_ncols=True, disable=None
            )
        self._bar.total = progress.total or None
        self._bar.n = progress.done
        self._bar.set_postfix(
            {name: f"{value:.3f}" for name, value in progress.metrics.items()},
            refresh=False,
        )
        self._bar.update(0)


def _write_json(target: str, values: Any) -> None:
    text = json.dumps(values, indent=2)
    if target == "-":
        print(text)
        return
    try:
        Path(target).write_text(text + "\n")
    except OSError as error:
        raise SessionError(
            f"The outcome could not be written to {target} ({error.strerror})."
        ) from error
