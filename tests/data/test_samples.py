from __future__ import annotations

import gzip
import hashlib
import http.server
import threading
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data import fashion_mnist as fashion
from napari_spaceediting.data.dataset import Split
from napari_spaceediting.data.open import OpenSample
from napari_spaceediting.data.poses import render_poses
from napari_spaceediting.data.samples import SAMPLES, digits
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import finish, run_job


def test_digits():
    dataset = digits()
    assert dataset.images([0, 1]).shape == (2, 1, 28, 28)
    assert len(dataset) == 1797
    assert dataset.is_labelled.all()
    # The network sees the digits as they are, from black to white.
    assert dataset.images([0]).max() == pytest.approx(15 / 16, abs=0.07)


def test_digits_with_few_labels():
    dataset = digits(labels_per_class=10, seed=3)
    training = dataset.split == Split.TRAIN
    assert_array_equal(np.bincount(dataset.labels[training & dataset.is_labelled]), 10)
    assert dataset.is_labelled[~training].all()
    assert_array_equal(dataset.columns["truth"], digits().labels)
    job = run_job(OpenSample("digits", seed=3))
    assert_array_equal(
        job.keep_labels(10, np.random.default_rng(3)).labels, dataset.labels
    )


def test_an_unknown_sample_is_refused():
    with pytest.raises(DataError, match=r"'letters'.*digits"):
        run_job(OpenSample("letters"))
    assert all(sample.title for sample in SAMPLES.values())


# Poses


def poses(**options):
    return finish(render_poses(**options))


def test_poses_are_the_same_for_the_same_seed():
    one, same, other = (poses(n=24, identities=4, seed=seed) for seed in (0, 0, 1))
    assert one.content_key() == same.content_key()
    assert one.content_key() != other.content_key()


def test_held_out_poses_are_of_other_people():
    dataset = poses(n=60, identities=6)
    parts = [set(dataset.columns["identity"][dataset.split == s]) for s in Split]
    assert [len(part) for part in parts] == [3, 1, 2, 0]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]


def test_classes_of_poses_follow_the_yaw():
    dataset = poses(n=60, identities=4)
    yaw = dataset.columns["yaw"]
    assert (yaw[dataset.labels == 0] < -25).all()
    assert (np.abs(yaw[dataset.labels == 1]) <= 25).all()
    assert (yaw[dataset.labels == 2] > 25).all()
    assert np.abs(yaw).max() <= 75
    assert np.abs(dataset.columns["pitch"]).max() <= 30


def test_poses_report_progress_and_refuse_what_cannot_be_split():
    last = list(render_poses(n=40, identities=4))[-1]
    assert (last.done, last.total) == (40, 40)
    with pytest.raises(DataError, match="at least 3 people"):
        poses(identities=2)


# Fashion-MNIST, in a small copy with the real layout


def write_idx(path, array):
    head = bytes([0, 0, 8, array.ndim])
    head += np.array(array.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))


@pytest.fixture
def folder(tmp_path):
    for part, n in (("train", 200), ("t10k", 100)):
        labels = np.arange(n) % 10
        images = np.broadcast_to(labels[:, None, None], (n, 28, 28))
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", labels)
    return tmp_path


def test_fashion_mnist_is_balanced_and_keeps_the_test_part(folder):
    dataset = finish(fashion.load_fashion_mnist(100, 50, folder=folder))
    assert len(dataset) == 150
    assert_array_equal(np.bincount(dataset.labels), 15)
    assert all(name.startswith("t10k") for name in dataset.ids[dataset.split == 2])
    assert (dataset.split == Split.VALIDATION).sum() == 10
    for index in (0, 149):
        assert dataset.original(index)[0, 0] == dataset.labels[index]


def test_fashion_mnist_of_some_classes(folder):
    steps = fashion.load_fashion_mnist(50, 25, fashion.LOOK_ALIKES, folder=folder)
    dataset = finish(steps)
    assert dataset.class_names == fashion.LOOK_ALIKES
    shirts = dataset.labels == fashion.LOOK_ALIKES.index("Shirt")
    assert {dataset.original(i)[0, 0] for i in np.flatnonzero(shirts)} == {6}


def test_fashion_mnist_refuses_what_is_not_there(folder):
    load = partial(fashion.load_fashion_mnist, folder=folder)
    with pytest.raises(DataError, match="'Hat'"):
        finish(load(classes=("Hat", "Coat")))
    with pytest.raises(DataError, match="has 20"):
        finish(load(n_train=1000))
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"t10k-labels.*cannot be read"):
        finish(load(100, 50))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(folder, tmp_path_factory, monkeypatch):
    """The small copy behind a web address, and an empty cache."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(_Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(fashion, "_FOLDERS", ())
    monkeypatch.setattr(fashion, "_cache_folder", lambda: cache)
    address = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setattr(fashion, "_URL", address)
    # The small server knows no https.
    monkeypatch.setattr(fashion, "_PROTOCOL", "http:")
    md5 = {
        name: hashlib.md5((folder / name).read_bytes()).hexdigest()
        for name in fashion.MD5
    }
    monkeypatch.setattr(fashion, "MD5", md5)
    yield cache
    server.shutdown()
    server.server_close()
    thread.join()


def test_fashion_mnist_is_fetched_once(served):
    progress = list(fashion.load_fashion_mnist(100, 50))
    assert {p.message.split()[-1] for p in progress} == set(fashion.MD5)
    assert {path.name for path in served.iterdir()} == set(fashion.MD5)
    again = fashion.load_fashion_mnist(100, 50)
    with pytest.raises(StopIteration):  # at once: nothing is fetched
        next(again)


def test_a_download_with_another_checksum_is_refused(served, monkeypatch):
    monkeypatch.setattr(fashion, "MD5", dict.fromkeys(fashion.MD5, "0" * 32))
    with pytest.raises(DataError, match="cannot be downloaded"):
        finish(fashion.load_fashion_mnist(100, 50))
    assert list(served.iterdir()) == []


def test_what_leads_to_another_protocol_is_refused(served, monkeypatch):
    monkeypatch.setattr(fashion, "_PROTOCOL", "https:")
    with pytest.raises(DataError, match=r"leads to http:.*put its four"):
        finish(fashion.load_fashion_mnist(100, 50))
    assert list(served.iterdir()) == []


def test_a_damaged_file_of_the_cache_is_fetched_anew(served):
    first = finish(fashion.load_fashion_mnist(100, 50))
    path = served / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-4])
    progress = list(fashion.load_fashion_mnist(100, 50))
    assert {p.message.split()[-1] for p in progress} == {path.name}
    again = finish(fashion.load_fashion_mnist(100, 50))
    assert_array_equal(again.labels, first.labels)
