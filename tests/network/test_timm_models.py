from __future__ import annotations

import pytest
import timm
import torch
from safetensors.torch import save_file

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.network import reach
from napari_spaceediting.network.catalogue import build_backbone
from napari_spaceediting.network.classifier import classifier_from, state_of
from napari_spaceediting.network.spec import ClassifierSpec
from napari_spaceediting.network.trust import is_trusted

VIT, NET = "timm:test_vit", "timm:test_resnet"


@pytest.fixture
def weights(tmp_path):
    """A file with the weights of a model, classes and all, and the model."""

    def make(name, **options):
        model = timm.create_model(name.removeprefix("timm:"), num_classes=7, **options)
        path = tmp_path / f"{model.pretrained_cfg['architecture']}.safetensors"
        save_file(model.state_dict(), path)
        return path, model.eval()

    return make


@pytest.mark.parametrize("name", [VIT, NET])
@torch.inference_mode()
def test_features_are_those_of_timm(name, weights):
    path, model = weights(name)
    spec = ClassifierSpec(name, str(path), in_channels=3, image_size=(50, 70))
    backbone = build_backbone(spec).eval()
    config = model.pretrained_cfg
    images = torch.rand(2, 3, 50, 70)
    resized = torch.nn.functional.interpolate(
        images, config["input_size"][1:], mode=config["interpolation"]
    )
    mean, std = (torch.tensor(config[key]).view(3, 1, 1) for key in ("mean", "std"))
    given = (resized - mean) / std
    wanted = model.forward_head(model.forward_features(given), pre_logits=True)
    torch.testing.assert_close(backbone(images), wanted, atol=1e-4, rtol=1e-4)
    assert backbone.n_features == wanted.shape[1]


@torch.inference_mode()
def test_a_session_builds_it_again_without_its_file(weights):
    path, _ = weights(VIT)
    spec = ClassifierSpec(VIT, str(path), n_classes=2, image_size=(40, 40))
    classifier = classifier_from(spec)
    images = torch.rand(2, 1, 40, 40)
    before = classifier(images)
    state = state_of(classifier)
    path.unlink()
    again = classifier_from(spec, state)(images)
    assert all(map(torch.equal, before, again))


@torch.inference_mode()
def test_any_number_of_channels():
    for channels in (1, 2, 5):
        spec = ClassifierSpec(NET, in_channels=channels, image_size=(20, 20))
        backbone = build_backbone(spec).eval()
        features = backbone(torch.rand(2, channels, 20, 20))
        assert features.shape == (2, backbone.n_features)


def test_the_last_layer_of_a_transformer_trains_by_itself():
    classifier = classifier_from(ClassifierSpec(VIT, n_classes=2))
    parts = {
        part: sum(p.numel() for p in classifier.tail(part).parameters())
        for part in ("head", "last_block", "all")
    }
    assert parts["head"] < parts["last_block"] < parts["all"]


def test_what_was_made_for_large_images_gets_what_there_is():
    spec = ClassifierSpec("timm:vit_tiny_patch16_384", image_size=(64, 64))
    assert build_backbone(spec).trunk[0].size == (224, 224)


def test_weights_that_do_not_fit_are_refused(weights):
    path, _ = weights(NET)
    with pytest.raises(SpaceEditingError, match="do not fit test_vit"):
        build_backbone(ClassifierSpec(VIT, str(path)))


def test_a_model_that_timm_does_not_have():
    with pytest.raises(SpaceEditingError, match=r"such as .*resnet50"):
        build_backbone(ClassifierSpec("timm:resnet5O"))


def test_weights_out_of_reach_are_told_at_once(monkeypatch):
    monkeypatch.setattr(reach, "answers", lambda url: False)
    with pytest.raises(SpaceEditingError, match="neither on this machine nor"):
        build_backbone(ClassifierSpec(VIT, "pretrained"))


def test_models_of_an_installed_package_are_trusted():
    assert is_trusted("timm:resnet18")
    assert is_trusted("timm:vit_small_patch14_dinov2.lvd142m")
