from __future__ import annotations

import pytest

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.classifier import classifier_from
from napari_spaceediting.network.spec import ClassifierSpec
from napari_spaceediting.network.trust import trust
from napari_spaceediting.traversal.features import LayerFeatures
from napari_spaceediting.traversal.jobs import ListLayers
from napari_spaceediting.traversal.layers import Layer, in_words
from napari_spaceediting.traversal.settings import TraversalError


def test_of_the_small_network_one_layer_stands_for_each_step():
    layers = run_job(ListLayers(ClassifierSpec()))
    assert in_words(layers) == [
        "The image, 28 × 28 px",
        "16 maps of 14 × 14 px",
        "32 maps of 14 × 14 px",
        "32 maps of 7 × 7 px",
        "128 maps of 7 × 7 px",
        "512 values",
    ]
    usual = [layer.name for layer in layers if layer.is_default]
    assert usual == list(LayerFeatures(classifier_from(ClassifierSpec())).layers)


@pytest.mark.parametrize("name", ["small_cnn", "resnet18"])
def test_each_of_them_can_make_the_features_and_is_what_it_says(name):
    spec = ClassifierSpec(name, in_channels=3, image_size=(32, 32))
    layers = run_job(ListLayers(spec))
    names = [layer.name for layer in layers]
    features = LayerFeatures(classifier_from(spec), names)
    for layer, size in zip(layers, features.sizes, strict=True):
        count = 1
        for side in layer.shape:
            count *= side
        assert count == size
    assert any(layer.is_default for layer in layers)
    with pytest.raises(TraversalError) as error:
        LayerFeatures(classifier_from(spec), ["nothing"])
    assert ", ".join(names) in str(error.value)


def test_what_sounds_alike_is_numbered():
    alike = [Layer("a", (8, 4, 4)), Layer("b", (1, 4, 4)), Layer("c", (8, 4, 4))]
    assert in_words(alike) == [
        "8 maps of 4 × 4 px, 1 of 2",
        "1 map of 4 × 4 px",
        "8 maps of 4 × 4 px, 2 of 2",
    ]
    assert Layer("d", (1000,)).describe() == "1,000 values"


def test_a_network_that_cannot_be_built_is_told():
    trust("no_package:net")
    with pytest.raises(SpaceEditingError, match="was not found"):
        run_job(ListLayers(ClassifierSpec("no_package:net")))
