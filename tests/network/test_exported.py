"""Networks that a user has exported into a file."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from napari_spaceediting.data.cache import CONFIG
from napari_spaceediting.data.dataset import UNLABELLED
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.activations import activations
from napari_spaceediting.network.catalogue import build_backbone
from napari_spaceediting.network.classifier import classifier_from, state_of
from napari_spaceediting.network.jobs import TrainNetwork
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.network.trust import (
    UntrustedBackbone,
    named,
    title_of,
    trust,
)


class Net(nn.Module):
    def __init__(self, channels=3):
        super().__init__()
        self.convolution = nn.Conv2d(channels, 6, 3)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, images):
        maps = self.norm(self.convolution(images)).relu()
        return maps.mean((2, 3)), maps


def export(net, path, size=(16, 16), dynamic=True):
    images = torch.rand(2, 3, *size)
    if path.suffix == ".pt2":
        axes = {0: torch.export.Dim.DYNAMIC} if dynamic else None
        program = torch.export.export(net, (images,), dynamic_shapes=(axes,))
        torch.export.save(program, path)
    else:
        torch.jit.save(torch.jit.trace(net, images), path)
    name = named(str(path))
    trust(name)
    return name


@pytest.fixture(autouse=True)
def _config(tmp_path, monkeypatch):
    monkeypatch.setenv(CONFIG, str(tmp_path / "config"))


@pytest.fixture(params=["net.pt2", "net.pt"])
def path(request, tmp_path):
    return tmp_path / request.param


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_features_are_those_of_the_network(path):
    net = Net().eval()
    name = export(net, path)
    images = torch.rand(5, 3, 16, 16)
    spec = ClassifierSpec(name, in_channels=3, image_size=(16, 16), n_classes=2)
    classifier = classifier_from(spec)
    with torch.no_grad():
        torch.testing.assert_close(classifier.backbone(images), net(images)[0])
        again = classifier_from(spec, state_of(classifier))
        assert torch.equal(again(images)[1], classifier(images)[1])
        # One grey channel is three times the same.
        grey = classifier_from(ClassifierSpec(name, image_size=(16, 16))).backbone
        expected = net(images[:, :1].expand(-1, 3, -1, -1))[0]
        torch.testing.assert_close(grey(images[:, :1]), expected)


class Scaled(nn.Module):
    """Has no weights: what it does is in its file alone."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, images):
        return images.flatten(1) * self.factor


def test_a_file_that_was_replaced_is_another_network(tmp_path, make_bars):
    found = []
    for factor in (1.0, 3.0):
        name = export(Scaled(factor), tmp_path / "net.pt2", (12, 12))
        spec = ClassifierSpec(name, latent_dim=4, image_size=(12, 12))
        steps = activations(classifier_from(spec), make_bars(), device="cpu")
        found.append(result_of(steps))
    np.testing.assert_allclose(found[1], 3 * found[0], rtol=1e-6)


def result_of(steps):
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return np.array(done.value)


def test_images_come_to_the_size_that_it_was_exported_for(tmp_path):
    name = export(Net().eval(), tmp_path / "net.pt2", (24, 32))
    backbone = build_backbone(ClassifierSpec(name, image_size=(10, 10)))
    assert backbone.trunk[0].size == (24, 32)
    assert backbone(torch.rand(3, 1, 10, 10)).shape == (3, 6)


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_it_can_be_trained(path, make_bars, trainable):
    name = export(Net().eval(), path)
    spec = ClassifierSpec(name, latent_dim=4, image_size=(12, 12))
    settings = TrainSettings(epochs=2, trainable=trainable, device="cpu")
    trained = run_job(TrainNetwork(make_bars(), spec, settings))
    assert np.isfinite(trained.predictions.latents).all()


def test_it_is_not_read_before_the_user_names_it(path, tmp_path):
    path.write_bytes(b"anything")
    name = f"file:{path}"
    with pytest.raises(UntrustedBackbone, match="code outside of this program"):
        build_backbone(ClassifierSpec(name))
    trust(name)
    with pytest.raises(SpaceEditingError, match="cannot be read as a network"):
        build_backbone(ClassifierSpec(name))
    path.unlink()
    with pytest.raises(SpaceEditingError, match="is missing"):
        build_backbone(ClassifierSpec(name))


def test_a_path_names_the_file_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert named("net.pt2") == named("file:net.pt2") == f"file:{tmp_path / 'net.pt2'}"
    assert title_of(named("net.pt2")) == "net.pt2"
    assert named("timm:resnet18.a1_in1k") == "timm:resnet18.a1_in1k"
    assert title_of("timm:resnet18.a1_in1k") == "resnet18"
    assert named("package.module:function") == "package.module:function"


def test_what_makes_no_vectors_is_refused(tmp_path):
    name = export(Net().eval(), tmp_path / "net.pt2", dynamic=False)
    three = ClassifierSpec(name, in_channels=5)
    with pytest.raises(SpaceEditingError, match="of 3 channels, and these have 5"):
        build_backbone(three)

    class Sum(nn.Module):
        def forward(self, images):
            return images.sum()

    name = export(Sum(), tmp_path / "sum.pt2")
    with pytest.raises(SpaceEditingError, match="makes no vector of each image"):
        build_backbone(ClassifierSpec(name))
    images = torch.rand(1, 3, 16, 16)
    program = torch.export.export(Net().eval(), (images,))
    torch.export.save(program, tmp_path / "one.pt2")
    trust(named(str(tmp_path / "one.pt2")))
    with pytest.raises(SpaceEditingError, match="export it with a dynamic batch size"):
        build_backbone(ClassifierSpec(named(str(tmp_path / "one.pt2"))))


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_a_network_from_a_file_stays_as_it_is_where_nothing_is_labelled(
    tmp_path, make_bars, trainable
):
    name = export(Net().eval(), tmp_path / "net.pt2", (12, 12))
    dataset = make_bars(60)
    dataset = dataset.with_labels(np.full(60, UNLABELLED), ())
    spec = ClassifierSpec(name, latent_dim=4, image_size=(12, 12))
    settings = TrainSettings(trainable=trainable, epochs=1, device="cpu")
    trained = run_job(TrainNetwork(dataset, spec, settings))
    assert "features of" in trained.notes[0]
    assert not trained.train.history
    before = state_of(classifier_from(spec))
    for weights in (name for name in before if name.startswith("backbone")):
        np.testing.assert_array_equal(trained.train.state[weights], before[weights])
