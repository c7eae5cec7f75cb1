"""Attacks by damaged files: sessions, arrays, weights, edits, tables and images."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import shutil
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from attack_base import (
    CLASSES,
    Child,
    Sessions,
    Tried,
    content,
    is_one_sentence,
    retrain,
    run_command,
)
from napari_spaceediting.commands.evidence import report_on_round
from napari_spaceediting.commands.retrain import read_edits
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.words import in_words
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.history import stages
from napari_spaceediting.session.index import IndexCodec
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import SessionState
from napari_spaceediting.session.storage import load_session, save_session
from napari_spaceediting.session.store import SHELVES, Store

LONGEST_S = 20
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 59, 60, 10**30, -(10**30), 2**31, 2**63, 2**64,
    0.5, -0.0, 1e-320, 1e308, float("inf"), float("-inf"), float("nan"),
    "", " ", "a", "0", "\ud800", "\0", "../../secret", "/etc/passwd", "ü" * 300,
    "train", "pca", "umap", "accepted", "canary:build", "f" * 32,
    [], {}, [[]], [0], [1, 2, 3], [None], ["a", "a"], {"a": 1}, [[[[]]]],
)  # fmt: skip
WAYS = (
    "bits", "shorter", "longer", "missing", "another", "objects", "pickle", "link",
    "pipe", "folder", "device", "type",
)  # fmt: skip
_FILES = "png", "tif", "csv", "npy", "npz", "zarr", "parquet"


class _Hang(BaseException):
    """What runs took too long."""


class Damaged:
    """Files in which something is changed, at random and by hand."""

    def __init__(self, sessions: Sessions, work: Path) -> None:
        self._sessions, self._work = sessions, work
        self._canary = work.parent / "canary"
        module = work.parent / "code"
        module.mkdir(parents=True, exist_ok=True)
        (module / "canary.py").write_text(
            f"open({str(self._canary)!r}, 'w').close()\ndef build(*_, **__): pass\n"
        )
        sys.path.insert(0, str(module))
        self._index = json.loads((sessions["whole"] / "session.json").read_text())
        whole = load_session(sessions["whole"])
        self._without_rounds = content(replace(whole, rounds=()))
        self._data = write_data(work.parent / "data")
        signal.signal(signal.SIGALRM, _ring)

    def attempt(self, number: int, rng: np.random.Generator) -> Tried:
        """Do one try."""
        self._canary.unlink(missing_ok=True)
        tasks: list[tuple[int, Callable[[np.random.Generator], Tried]]] = [
            (9, self._values),
            (10, self._text),
            (13, self._files),
            (15, self._edits),
            (20, self._images),
        ]
        place = number % 20
        task = next(task for end, task in tasks if place < end)
        if number % 300 == 0:
            task = self._backbone
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind, problems = task(rng)
        if self._canary.exists():
            problems.append("code was run")
        return kind, problems

    # session.json

    def _values(self, rng: np.random.Generator) -> Tried:
        values = copy.deepcopy(self._index)
        for _ in range(1 + rng.poisson(0.4)):
            _mutate(values, rng)
        text = json.dumps(values)
        if rng.random() < 0.5:
            text = text.replace("Infinity", "1e400")
        folder = self._folder()
        (folder / "session.json").write_bytes(text.encode())
        return "values of session.json", self._opened(folder, json.loads(text))

    def _text(self, rng: np.random.Generator) -> Tried:
        folder = self._folder()
        data = bytearray((folder / "session.json").read_bytes())
        if rng.random() < 0.1:
            depth = int(rng.choice([100, 5000, 100_000]))
            at = int(rng.integers(len(data)))
            data[at:at] = b"[" * depth + b"]" * depth * int(rng.integers(2))
        else:
            data = _broken(data, rng)
        (folder / "session.json").write_bytes(data)
        try:
            values = json.loads(bytes(data))
        except (ValueError, RecursionError):
            values = None
        return "text of session.json", self._opened(folder, values)

    def _backbone(self, _: np.random.Generator) -> Tried:
        """Retrain a session whose network is to be built by code of somebody else."""
        folder = self._sessions.copy("trained", self._work / "one.spaceediting")
        index = folder / "session.json"
        values = json.loads(index.read_text())
        values["checkpoint"]["network"]["spec"]["backbone"] = "canary:build"
        index.write_text(json.dumps(values))
        words = retrain(self._sessions.edits(0))
        ended = Child(lambda: run_command(words, folder), self._work / "output").wait()
        kind = "a backbone of somebody else"
        if ended.code != 1 or not is_one_sentence(ended.output):
            return kind, [f"ended with {ended.code}: {ended.output[-300:]}"]
        return kind, []

    # Arrays and weights

    def _files(self, rng: np.random.Generator) -> Tried:
        folder = self._folder()
        files = sorted(path for shelf in SHELVES for path in folder.glob(f"{shelf}/*"))
        path = files[rng.integers(len(files))]
        how = str(rng.choice(WAYS))
        others = [file for file in files if file != path]
        bomb = pickle.dumps(Bomb(self._canary))
        spoil(path, how, others, self._work / "target", bomb, rng)
        kind = f"{path.parent.name}: {how}"
        return kind, self._opened(folder, None, self._sessions.contents["whole"])

    def _folder(self) -> Path:
        return self._sessions.copy("whole", self._work / "one.spaceediting")

    def _opened(
        self, folder: Path, values: Any, wanted: str | None = None
    ) -> list[str]:
        """Open a damaged session and use all of it; return what is wrong.

        What opens must be what was saved, or say what ``session.json`` says.
        """
        told: list[str] = []

        def work() -> list[str]:
            state = load_session(folder, told.append)
            _use(state)
            if wanted is not None and told:
                # An older round may be lost, and nothing else.
                same = content(replace(state, rounds=())) == self._without_rounds
                return [] if same else ["what opens is not what was saved"]
            if wanted is not None and content(state) != wanted:
                return ["what opens is not what was saved"]
            if wanted is None and not told:
                again = IndexCodec(Store(folder), ids=state.dataset.ids)
                found = json.loads(json.dumps(again.unstructure(state)))
                expected = {n: v for n, v in values.items() if n != "version"}
                where = _difference(expected, found)
                if where:
                    return [f"it says otherwise than it opens: {where}"]
            return []

        return _watched(work) or [
            f"told as: {line}" for line in told if not is_one_sentence(line)
        ]

    # What else is read

    def _edits(self, rng: np.random.Generator) -> Tried:
        session = Session(load_session(self._sessions["trained"]))
        free = np.flatnonzero(~session.dataset.held_out)[:6]
        images = session.dataset.ids[free].tolist()
        edits: Any = [
            {"kind": "pin", "images": images[:2], "tag": CLASSES[0]},
            {"kind": "move", "images": images[2:3], "end": [0.5, 1.0], "tag": None},
            {"kind": "relabel", "images": images[3:5], "tag": "new"},
            {"kind": "reset", "images": images[4:5]},
            {"kind": "withdraw", "number": 0},
        ]
        holder = [edits]
        for _ in range(1 + rng.poisson(0.5)):
            _mutate(holder, rng)
        data = bytearray(json.dumps(holder[0]).encode())
        if rng.random() < 0.2:
            data = _broken(data, rng)
        path = self._work / "edits.json"
        path.write_bytes(data)

        def work() -> list[str]:
            before = content(session.state)
            try:
                session.replay(read_edits(path, session.dataset.ids))
            except SpaceEditingError:
                if content(session.state) != before:
                    return ["refused edits changed the session"]
                raise
            _use(session.state)
            folder = self._work / "saved"
            save_session(session.state, folder)
            same = content(load_session(folder)) == content(session.state)
            return [] if same else ["what was saved does not open as it was"]

        return "edits", _watched(work)

    def _images(self, rng: np.random.Generator) -> Tried:
        suffix = _FILES[rng.integers(len(_FILES))]
        place = self._work / "data"
        shutil.copytree(self._data / suffix, place)
        files = sorted(path for path in place.rglob("*") if path.is_file())
        main = {"png": place, "tif": place}.get(suffix, place / f"images.{suffix}")
        if suffix in ("csv", "parquet"):
            files = [main] if rng.random() < 0.7 else files
        path = files[rng.integers(len(files))]
        how = str(rng.choice(["bytes", "bytes", "bytes", "shorter", "pipe", "objects"]))
        data = path.read_bytes()
        if how == "bytes":
            path.write_bytes(_broken(bytearray(data), rng))
        elif how == "shorter":
            path.write_bytes(data[: rng.integers(len(data))])
        elif how == "pipe":
            path.unlink()
            os.mkfifo(path)
        else:
            values = np.array([Bomb(self._canary)] * 12, object)
            with path.open("wb") as file:
                if suffix == "npz":
                    np.savez(file, images=values)
                else:
                    np.save(file, values)

        def work() -> list[str]:
            dataset = run_job(OpenDataset(main))
            pixels = []
            for index in range(len(dataset)):
                try:
                    pixels.append(dataset.original(index))
                except SpaceEditingError:
                    if suffix not in ("zarr",):
                        raise
            n = len(dataset) + len(dataset.skipped)
            if suffix in ("png", "tif") and n != len(files):
                return [f"{n} images and entries left out of {len(files)} files"]
            if suffix == "npy" and len(pixels) == len(dataset):
                stored = np.load(main, allow_pickle=False)
                same = all(
                    np.array_equal(np.squeeze(pixels[i]), np.squeeze(stored[i]))
                    for i in range(len(dataset))
                )
                if not same and len(dataset) == len(stored):
                    return ["other pixels than numpy reads"]
            in_words(dataset)
            return []

        return f"{suffix}: {how}", _watched(work)


def _use(state: SessionState) -> None:
    """Do what a window does with a session that was opened."""
    session = Session(state)
    if state.shown.map is not None and state.shown.network is not None:
        _ = session.edits, session.answers
        session.contradictions()
    for number in range(1, len(state.rounds) + 1):
        json.dumps(report_on_round(session, number).values)
    stages(state)
    in_words(state.dataset)
    for index in range(len(state.dataset)):
        state.dataset.original(index)
    content(state)


@contextmanager
def _alarm() -> Iterator[None]:
    signal.alarm(LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)


def _ring(*_: object) -> None:
    raise _Hang


def _watched(work: Callable[[], list[str]]) -> list[str]:
    """Do something that may end in one sentence for the user, and not otherwise."""
    try:
        with _alarm():
            return work()
    except SpaceEditingError as error:
        told = str(error)
        return [] if is_one_sentence(told) else [f"told as: {told!r:.300}"]
    except _Hang:
        return [f"it took more than {LONGEST_S} s"]
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        ours = [
            f"{Path(f.filename).name}:{f.lineno}"
            for f in traceback.extract_tb(error.__traceback__)
            if "napari_spaceediting" in f.filename
        ]
        return [f"{type(error).__name__} at {where} from {ours[-3:]}: {error!s:.200}"]


def spoil(
    path: Path,
    how: str,
    others: Sequence[Path],
    target: Path,
    bomb: bytes,
    rng: np.random.Generator,
) -> None:
    """Damage a file in one of the `WAYS`.

    Parameters
    ----------
    path : Path
        The file.
    how : str
        The way.
    others : sequence of Path
        Files that may take its place.
    target : Path
        Where a link may lead.
    bomb : bytes
        Leaves a file behind if it is unpickled.
    rng : numpy.random.Generator
    """
    data = path.read_bytes()
    path.unlink()
    if how == "bits":
        changed = bytearray(data)
        for at in rng.integers(len(data), size=rng.integers(1, 4)):
            changed[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
    elif how == "shorter":
        path.write_bytes(data[: rng.integers(len(data))])
    elif how == "longer":
        path.write_bytes(data + bytes(int(rng.integers(1, 99))))
    elif how == "another":
        shutil.copy(others[rng.integers(len(others))], path)
    elif how == "objects":
        head = np.lib.format
        with path.open("wb") as file:
            facts = {"descr": "|O", "fortran_order": False, "shape": (1,)}
            head.write_array_header_1_0(file, facts)
            file.write(bomb)
    elif how == "pickle":
        path.write_bytes(bomb)
    elif how == "link":
        target.write_bytes(data)
        path.symlink_to(target)
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "folder":
        path.mkdir()
    elif how == "device":
        path.symlink_to("/dev/zero")
    elif how == "type" and path.suffix == ".npy":
        kinds = ["<f8", ">i4", "<i1", "<U3", "<c16", "<M8[s]"]
        values = np.load(io.BytesIO(data))
        with path.open("wb") as file, np.errstate(all="ignore"):
            try:
                np.save(file, values.astype(rng.choice(kinds)))
            except (ValueError, TypeError):
                np.save(file, values[:1])


class Bomb:
    """Leaves a file behind if it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self._path, "w")


def _difference(one: Any, other: Any, where: str = "") -> str:
    """Return where two values for JSON differ, "" where they do not."""
    if isinstance(one, dict) and isinstance(other, dict):
        # Settings and fields that are not there take their default.
        for name in one:
            # Of two paths to images, the one that leads there is taken.
            if name == "relative":
                continue
            # An empty text is left out, such as an author who is not known.
            if name not in other and one[name] == "":
                continue
            if name not in other:
                return f"{where}/{name} is gone"
            found = _difference(one[name], other[name], f"{where}/{name}")
            if found:
                return found
        return ""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        found = (_difference(a, b, f"{where}/{i}") for i, (a, b) in
                 enumerate(zip(one, other, strict=True)))  # fmt: skip
        return next(filter(None, found), "")
    same = one == other and isinstance(one, bool) == isinstance(other, bool)
    if isinstance(one, (int, float)) and isinstance(other, float) and not same:
        same = abs(one - other) <= 1e-6 * abs(one) or (one != one and other != other)
    return "" if same else f"{where}: {one!r:.60} became {other!r:.60}"


def _mutate(values: Any, rng: np.random.Generator) -> None:
    """Change one thing somewhere within values for JSON, all depths alike."""
    places: list[tuple[Any, Any]] = []

    def collect(inner: Any) -> None:
        keys = inner if isinstance(inner, dict) else range(len(inner))
        for key in keys:
            places.append((inner, key))
            if isinstance(inner[key], (dict, list)):
                collect(inner[key])

    collect(values)
    within, key = places[rng.integers(len(places))]
    how = rng.integers(10)
    value = within[key]
    if how < 5:
        within[key] = copy.deepcopy(_VALUES[rng.integers(len(_VALUES))])
    elif how == 5:
        del within[key]
    elif how == 6:
        other, name = places[rng.integers(len(places))]
        within[key] = copy.deepcopy(other[name])
    elif how == 7 and isinstance(value, list) and value:
        within[key] = (rng.choice([0, 1]) and value[:-1]) or value + value[:1]
    elif how == 8 and isinstance(within, dict):
        within[f"{key} "] = within.pop(key)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        within[key] = value + (1 if rng.random() < 0.5 else -1000)
    else:
        within[key] = [value]


def _broken(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Change some bytes, cut some out, or put some in."""
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(max(1, len(data))))
        how = rng.integers(4)
        if how == 0 or not data:
            data[at:at] = rng.bytes(int(rng.integers(1, 20)))
        elif how == 1:
            del data[at : at + int(rng.integers(1, 200))]
        elif how == 2:
            data[at] = int(rng.integers(256))
        else:
            # Near the head, where sizes and types are.
            near = min(len(data) - 1, int(rng.exponential(40)))
            data[near] ^= 1 << int(rng.integers(8))
    return data


def write_data(folder: Path) -> Path:
    """Write a few images in each format that is read."""
    if folder.exists():
        return folder
    import pandas as pd
    import zarr
    from PIL import Image

    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (12, 8, 8), np.uint8)
    labels = np.arange(12) % 2
    for suffix in _FILES:
        (folder / suffix).mkdir(parents=True)
    for suffix in ("png", "tif", "csv", "parquet"):
        for at, image in enumerate(images):
            name = "png" if suffix in ("csv", "parquet") else suffix
            place = folder / suffix / f"class {labels[at]}"
            place.mkdir(exist_ok=True)
            Image.fromarray(image).save(place / f"{at}.{name}")
    paths = [f"class {label}/{at}.png" for at, label in enumerate(labels)]
    table = pd.DataFrame(
        {"path": paths, "label": labels.astype(str), "age": rng.random(12)}
    )
    table.to_csv(folder / "csv" / "images.csv", index=False)
    table.to_parquet(folder / "parquet" / "images.parquet")
    np.save(folder / "npy" / "images.npy", images)
    np.savez(folder / "npz" / "images.npz", images=images, labels=labels)
    group = zarr.open_group(folder / "zarr" / "images.zarr", mode="w")
    group.create_array("images", data=images, chunks=(4, 8, 8))
    group.create_array("labels", data=labels)
    return folder
