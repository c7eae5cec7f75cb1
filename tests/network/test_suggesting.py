"""Which network is suggested: what is in reach, and else what works at once."""

from __future__ import annotations

import socket
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network import reach
from napari_spaceediting.network.catalogue import build_backbone
from napari_spaceediting.network.spec import SELF_SUPERVISED, ClassifierSpec
from napari_spaceediting.network.suggesting import Suggest, suggested_at_once
from napari_spaceediting.session.session import new_session


@pytest.fixture(scope="module")
def photographs():
    """Twenty images that are too large for a small network."""
    pixels = np.random.default_rng(0).integers(0, 255, (20, 120, 160), np.uint8)
    return ImageDataset(
        "photographs",
        np.array([f"i{k}" for k in range(20)]),
        np.arange(20) % 2,
        ("a", "b"),
        np.repeat(np.array([0, 1, 2], np.int8), [14, 2, 4]),
        ArrayPixels(pixels),
        IntensityScaling(),
        (120, 160),
    )


@pytest.fixture
def in_reach(monkeypatch):
    """Say which published weights can be had, and which were fetched before."""

    def set_(*names, cached=()):
        monkeypatch.setattr(reach, "is_in_reach", lambda name: name in names)
        monkeypatch.setattr(
            reach, "cached_weights", lambda name: name in cached or None
        )

    return set_


def test_a_self_supervised_transformer_comes_first(photographs, in_reach):
    in_reach(SELF_SUPERVISED, "resnet18")
    found = run_job(Suggest(photographs))
    assert (found.spec.backbone, found.spec.weights) == (SELF_SUPERVISED, "pretrained")
    assert "without any labels" in found.why


def test_without_timm_it_is_one_of_torchvision(photographs, in_reach, monkeypatch):
    in_reach(SELF_SUPERVISED, "resnet18")
    monkeypatch.setattr(reach, "has_timm", lambda: False)
    assert run_job(Suggest(photographs)).spec.backbone == "resnet18"


def test_what_was_fetched_before_needs_no_network(photographs, in_reach):
    in_reach(cached=["vgg19"])
    found = run_job(Suggest(photographs))
    assert found.spec == ClassifierSpec("vgg19", "pretrained")
    assert "fetched before" in found.why


def test_with_nothing_in_reach_a_small_network_learns_from_copies(
    photographs, in_reach
):
    in_reach()
    session = new_session(photographs)
    found = run_job(session.suggesting())
    assert found.spec.backbone == "small_cnn"
    assert "copies of 96 px" in found.why
    job = session.training(found.spec)
    assert job.spec.image_size == (72, 96)
    backbone = build_backbone(job.spec)
    assert backbone.trunk[0](torch.from_numpy(photographs.images([0]))).shape[-2:] == (
        72,
        96,
    )


def test_small_images_and_embeddings_need_no_looking(photographs):
    small = suggested_at_once(replace(photographs, image_size=(28, 28)))
    assert (small.spec.backbone, small.is_quick) == ("small_cnn", True)
    rows = np.ones((20, 4), np.float32)
    given = suggested_at_once(replace(photographs, features=rows))
    assert (given.spec.backbone, given.is_quick) == ("embeddings", True)
    assert suggested_at_once(photographs) is None


@pytest.mark.parametrize(("cached", "is_quick"), [([], True), (["vgg19"], False)])
def test_small_images_leave_a_choice_where_a_network_was_fetched(
    photographs, in_reach, cached, is_quick
):
    in_reach(SELF_SUPERVISED, "resnet18", cached=cached)
    found = run_job(Suggest(replace(photographs, image_size=(28, 28))))
    assert (found.spec.backbone, found.is_quick) == ("small_cnn", is_quick)
    assert ("vgg19 was fetched before: choose it" in found.why) != is_quick


def test_weights_are_in_reach_if_they_were_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(reach, "answers", lambda url: False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert not reach.is_in_reach("resnet18")
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "resnet18-f37072fd.pth").touch()
    assert reach.is_in_reach("resnet18")
    assert not reach.is_in_reach("timm:resnet18")
    assert not reach.is_in_reach("timm:no_such_model")


def test_nobody_answers_where_there_is_no_server():
    # A port of this machine that was just given back.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert not reach.answers(f"http://127.0.0.1:{port}/")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert reach.answers(f"http://127.0.0.1:{server.getsockname()[1]}/")
