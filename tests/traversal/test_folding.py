from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_spaceediting.traversal.folding import fold_normalisations


class _Block(nn.Module):
    """A convolution and its normalisation; the former may go past the latter, too."""

    def __init__(self, *, adds: bool) -> None:
        super().__init__()
        self.adds = adds
        self.filter = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        filtered = self.filter(maps)
        normal = self.norm(filtered)
        return normal + filtered if self.adds else normal


def network(*, adds: bool = False) -> nn.Module:
    torch.manual_seed(0)
    made = nn.Sequential(_Block(adds=adds), nn.ReLU(), _Block(adds=False))
    made(torch.rand(4, 3, 8, 8) * 3)  # learns means and deviations
    return made.eval()


def norms(of: nn.Module) -> list[bool]:
    return [isinstance(of[at].norm, nn.BatchNorm2d) for at in (0, 2)]


@pytest.mark.parametrize(
    ("adds", "kept", "left"),
    [
        (False, (), [False, False]),
        (False, ("0.filter",), [True, False]),
        (True, (), [True, True]),
    ],
)
def test_a_network_says_the_same_with_normalisations_folded(adds, kept, left):
    some, made = torch.rand(2, 3, 8, 8), network(adds=adds)
    before = made(some)
    fold_normalisations(made, some[:1], kept)
    assert norms(made) == left
    torch.testing.assert_close(made(some), before)


def test_an_output_that_is_kept_stays_as_it_was():
    some, made = torch.rand(2, 3, 8, 8), network()
    before = made[0].filter(some)
    fold_normalisations(made, some[:1], ("0.filter",))
    torch.testing.assert_close(made[0].filter(some), before)
