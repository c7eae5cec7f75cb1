from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import get_model

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.network import published
from napari_spaceediting.network.backbones import Quarters
from napari_spaceediting.network.catalogue import build_backbone
from napari_spaceediting.network.classifier import classifier_from, state_of
from napari_spaceediting.network.spec import BACKBONES, ClassifierSpec
from napari_spaceediting.network.trust import trust


@pytest.mark.parametrize("name", BACKBONES)
@torch.inference_mode()
def test_body_and_tail_together_are_the_network(name: str) -> None:
    spec = ClassifierSpec(backbone=name, latent_dim=8, n_classes=3)
    classifier = classifier_from(spec)
    images = torch.rand(2, 1, 20, 24)
    latents, logits = classifier(images)
    assert latents.shape == (2, 8)
    assert logits.shape == (2, 3)
    assert (latents >= 0).all()
    all_names = set(classifier.state_dict())
    for trainable in ("head", "last_block", "all"):
        inner = classifier.body(trainable)(images)
        tail = classifier.tail(trainable)
        assert torch.equal(tail(inner)[0], latents)
        assert torch.equal(tail(inner)[1], logits)
        assert set(tail.state_dict()) <= all_names
    assert classifier.body("head")(images).shape == (2, classifier.backbone.n_features)
    trained = [
        sum(p.numel() for p in classifier.tail(trainable).parameters())
        for trainable in ("head", "last_block", "all")
    ]
    assert trained[0] < trained[1] < trained[2]


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("name", ["small_cnn", "mobilenet_v3_small"])
@torch.inference_mode()
def test_any_number_of_channels(name: str, channels: int) -> None:
    spec = ClassifierSpec(backbone=name, in_channels=channels)
    backbone = build_backbone(spec).eval()
    features = backbone(torch.rand(2, channels, 16, 16))
    assert features.shape == (2, backbone.n_features)


@torch.inference_mode()
def test_grey_is_the_same_as_three_equal_channels() -> None:
    grey, colour = (
        classifier_from(ClassifierSpec(backbone="resnet18", in_channels=n), seed=1)
        for n in (1, 3)
    )
    images = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(grey(images)[0], colour(images.repeat(1, 3, 1, 1))[0])


@torch.inference_mode()
def test_more_channels_start_from_the_weights_for_colours(tmp_path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(get_model("resnet18").state_dict(), path)
    colour, five = (
        build_backbone(
            ClassifierSpec(backbone="resnet18", in_channels=n, weights=str(path))
        ).eval()
        for n in (3, 5)
    )
    # Equal channels of the mean of the published normalisation look the same to both.
    mean = torch.tensor(published.IMAGENET_MEAN).mean()
    like_grey = torch.full((1, 5, 64, 64), mean.item())
    first = [module.trunk[1][0] for module in (colour, five)]
    assert first[1].weight.shape[1] == 5
    torch.testing.assert_close(
        first[0](torch.ones(1, 3, 64, 64)), first[1](torch.ones(1, 5, 64, 64))
    )
    assert torch.isfinite(five(like_grey)).all()


@pytest.mark.parametrize("shape", [(4, 4), (7, 7), (5, 8), (1, 3)])
def test_quarters_are_adaptive_maximum_pooling(shape: tuple[int, int]) -> None:
    maps = torch.rand(2, 3, *shape)
    expected = nn.functional.adaptive_max_pool2d(maps, 2)
    found = Quarters()(maps).view(2, 2, 2, 3).permute(0, 3, 1, 2)
    torch.testing.assert_close(found, expected)


def test_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(SpaceEditingError, match=r'"resnet".*small_cnn, resnet18'):
        build_backbone(ClassifierSpec(backbone="resnet"))


def test_backbone_of_another_package_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_nets.py").write_text(
        "from torch import nn\n"
        "from napari_spaceediting.network.backbones import Backbone\n"
        "def flat(spec):\n"
        "    pixels = spec.image_size[0] * spec.image_size[1] * spec.in_channels\n"
        "    return Backbone(nn.Flatten(), nn.Linear(pixels, 6), n_features=6)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    trust("my_nets:flat")
    spec = ClassifierSpec(backbone="my_nets:flat", image_size=(4, 5), n_classes=2)
    latents, logits = classifier_from(spec)(torch.rand(3, 1, 4, 5))
    assert latents.shape == (3, 64)
    assert logits.shape == (3, 2)


@pytest.mark.parametrize("name", ["no_such_package:net", "math:no_such_function"])
def test_missing_backbone_of_another_package_is_named(name: str) -> None:
    trust(name)
    with pytest.raises(SpaceEditingError, match=f'"{name}" was not found'):
        build_backbone(ClassifierSpec(backbone=name))


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_torchvision_file_is_loaded_without_its_head(tmp_path, ending: str) -> None:
    model = get_model("mobilenet_v3_small", num_classes=7)
    path = tmp_path / f"weights.{ending}"
    if ending == "pth":
        # As data-parallel training saves it, beside other things.
        weights = {f"module.{k}": v for k, v in model.state_dict().items()}
        torch.save({"epoch": 3, "state_dict": weights}, path)
    else:
        save_file(model.state_dict(), path)
    spec = ClassifierSpec(backbone="mobilenet_v3_small", weights=str(path))
    backbone = build_backbone(spec)
    loaded = dict(backbone.named_parameters())
    wanted = dict(model.features.named_parameters())
    assert len(loaded) == len(wanted)
    assert torch.equal(loaded["trunk.1.0.0.weight"], wanted["0.0.weight"])
    assert torch.equal(loaded["last_block.0.12.0.weight"], wanted["12.0.weight"])


@pytest.mark.parametrize("name", ["small_cnn", "resnet18"])
def test_network_saved_by_this_program_is_loaded(tmp_path, name: str) -> None:
    spec = ClassifierSpec(backbone=name, n_classes=4)
    state = state_of(classifier_from(spec, seed=3))
    path = tmp_path / "exported.safetensors"
    save_file({k: torch.from_numpy(v) for k, v in state.items()}, path)
    again = ClassifierSpec(backbone=name, n_classes=2, weights=str(path))
    loaded = state_of(classifier_from(again, seed=9))
    backbone = [key for key in state if key.startswith("backbone.")]
    assert all(np.array_equal(loaded[key], state[key]) for key in backbone)
    assert not np.array_equal(loaded["embedding.weight"], state["embedding.weight"])


def test_weights_of_another_network_are_named(tmp_path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"layer.weight": torch.zeros(3)}, path)
    spec = ClassifierSpec(backbone="resnet18", weights=str(path))
    message = r"other\.pth do not fit.*\d+ missing \(bn1.*, …\); 1 unknown \(layer\.w"
    with pytest.raises(SpaceEditingError, match=message):
        build_backbone(spec)


def test_weights_of_another_shape_are_named(tmp_path) -> None:
    path = tmp_path / "colour.pth"
    colour = build_backbone(ClassifierSpec(in_channels=3))
    torch.save(colour.state_dict(), path)
    with pytest.raises(SpaceEditingError, match=r"1 of another shape \(trunk\.1\.wei"):
        build_backbone(ClassifierSpec(in_channels=1, weights=str(path)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no file of weights"),
        (b"not a pickle", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_unreadable_weights(tmp_path, content: bytes | None, words: str) -> None:
    for ending in ("pth", "safetensors"):
        path = tmp_path / f"broken.{ending}"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SpaceEditingError, match=words):
            build_backbone(ClassifierSpec(weights=str(path)))


def test_a_pickle_is_never_run(tmp_path) -> None:
    class Harmful:
        def __reduce__(self):
            return (tmp_path.joinpath("touched").touch, ())

    path = tmp_path / "harmful.pth"
    torch.save({"x": Harmful()}, path)
    with pytest.raises(SpaceEditingError, match="cannot be read"):
        build_backbone(ClassifierSpec(weights=str(path)))
    assert not (tmp_path / "touched").exists()


def test_published_weights_that_cannot_be_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for proxy in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")  # nothing listens there
    for name in ("resnet18", "mobilenet_v3_small"):
        with pytest.raises(SpaceEditingError, match=rf"{name} could not.*\.pth.*path"):
            build_backbone(ClassifierSpec(backbone=name, weights="pretrained"))


def test_small_cnn_has_no_published_weights() -> None:
    with pytest.raises(SpaceEditingError, match="no published weights"):
        build_backbone(ClassifierSpec(weights="pretrained"))
