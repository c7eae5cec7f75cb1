from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.resize import fit
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.network.classifier import classifier_from
from napari_spaceediting.network.exporting import FromPixels, write_pt2
from napari_spaceediting.network.spec import ClassifierSpec


@pytest.mark.parametrize("size", [(40, 39), (28, 28)])
def test_images_are_brought_to_size_as_in_the_session(size):
    spec = ClassifierSpec(n_classes=2, image_size=size)
    network = FromPixels(classifier_from(spec), IntensityScaling(), 255, size)
    rng = np.random.default_rng(0)
    # Among them 48 x 33 and 30 x 48, whose sides come to a half of a pixel.
    for height in range(18, 61, 3):
        for width in range(18, 61, 3):
            image = rng.random((1, height, width, 1), np.float32)
            found = network._fitted(torch.from_numpy(image).permute(0, 3, 1, 2))
            assert_allclose(found[0, 0], fit(image, size)[0, :, :, 0], atol=1e-6)


def test_a_transformer_takes_any_number_of_images():
    from torchvision.models.vision_transformer import VisionTransformer

    from napari_spaceediting.network.published import _VitTrunk

    model = VisionTransformer(32, 16, 2, 2, 8, 16).eval()
    program = torch.export.export(
        _VitTrunk(model),
        (torch.zeros(2, 3, 32, 32),),
        dynamic_shapes={"images": {0: torch.export.Dim("n")}},
    )
    assert program.module()(torch.zeros(5, 3, 32, 32)).shape == (5, 5, 8)


def test_a_network_that_is_no_graph_is_refused(tmp_path):
    classifier = classifier_from(ClassifierSpec(n_classes=2))

    class Deciding(torch.nn.Module):
        def forward(self, images):
            return images if images.sum() > 0 else -images

    classifier.backbone.trunk = torch.nn.Sequential(
        Deciding(), classifier.backbone.trunk
    )
    network = FromPixels(classifier, IntensityScaling(), 255, (28, 28))
    with pytest.raises(SpaceEditingError, match="small_cnn cannot be written down"):
        write_pt2(network, {}, tmp_path / "network.pt2")
