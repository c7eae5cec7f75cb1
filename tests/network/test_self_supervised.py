from __future__ import annotations

import torch
from pytorch_metric_learning.losses import NTXentLoss, SelfSupervisedLoss

from napari_spaceediting.network.augment import erase, jitter, shift_and_scale
from napari_spaceediting.network.self_supervised import nt_xent


def test_nt_xent_is_that_of_the_library() -> None:
    first, second = torch.randn(2, 9, 5)
    expected = SelfSupervisedLoss(NTXentLoss(temperature=0.2))(first, second)
    torch.testing.assert_close(nt_xent(first, second), expected)


def test_no_change_is_no_change() -> None:
    images = torch.rand(3, 2, 9, 14)
    generator = torch.Generator()
    same = shift_and_scale(images, generator, shift=0, scale=(1, 1), rotation=0)
    torch.testing.assert_close(same, images)
    same = jitter(images, generator, contrast=0, brightness=0)
    torch.testing.assert_close(same, images)


def test_each_image_changes_in_its_own_way() -> None:
    image = torch.rand(1, 1, 12, 12)
    images = image.repeat(4, 1, 1, 1)
    for change in (shift_and_scale, jitter, erase):
        changed = change(images, torch.Generator().manual_seed(1))
        again = change(images, torch.Generator().manual_seed(1))
        assert torch.equal(changed, again)
        assert changed.shape == images.shape
        assert changed.min() >= 0
        assert changed.max() <= 1
        assert len({tuple(one.flatten().tolist()) for one in changed}) == 4
