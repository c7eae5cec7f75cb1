"""How a traversal is done, and what can be wrong with what was asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from napari_spaceediting.errors import SpaceEditingError

Regime = Literal["mixtures", "features"]
"""How images are made: near to mixtures of real ones, for small images that lie alike,
or by changing the features of the original, for photographs."""

BUDGETS = 0.5, 0.3, 0.2, 0.14, 0.1, 0.06, 0.03, 0.01
"""What is tried of mixtures, from little to much change."""

TO_ARRIVAL = 6
"""Steps until its preview arrives, of an image with budgets of its own. It has as many
in all as are tried."""

NEIGHBOURS = 50

FITTING: tuple[int | None, ...] = NEIGHBOURS, None
"""Numbers of neighbours among which each image takes the one that fits it."""

TYPICAL = 0.95


class TraversalError(SpaceEditingError):
    """A traversal cannot be done as it was asked for."""


@dataclass(frozen=True)
class TraverseSettings:
    """Settings of one Deep Manifold Traversal (Gardner et al., arXiv 1511.06421).

    Parameters
    ----------
    budgets : tuple of float, optional
        One for each step of the path; if not given, each image has its own: of
        mixtures, those by which it arrives at step `TO_ARRIVAL`, of features, those
        that make its steps even. They are the price of change, per mean squared change
        of the standardised features: the smaller, the further an image goes. They may
        come in any order.
    neighbours : tuple of int or None
        Each image is moved by only so many of its nearest images in the source and in
        the target; None for all. Of several numbers each image takes the one by which
        its mixture arrives with the least change. Features move by all images.
    typical : float
        How typical of the target an image must be to have arrived: as near to a real
        one as this share of them is to each other. The smaller, the more it changes.
    layers : tuple of str, optional
        Modules of the backbone whose outputs are the features; `default_layers` if
        not given.
    most : int
        Images that are used of every source and of the target, drawn at random.
    regime : str, optional
        "mixtures" or "features"; if not given, chosen by the images and the network.
    iterations : int, optional
        Of the reconstruction, for each step of the path; 5 of mixtures and 8 of
        features if not given. With 0 the images of mixtures
        are the previews: they are there at once and, where all objects lie alike,
        convince no less.
    batch_size : int
        Images that are worked on at once.
    seed : int
        Of the random draw.
    device : str
        "auto", "cpu", "cuda" or "mps".

    Raises
    ------
    TraversalError
        If a value is out of its range.
    """

    budgets: tuple[float, ...] | None = None
    neighbours: tuple[int | None, ...] = FITTING
    typical: float = TYPICAL
    layers: tuple[str, ...] | None = None
    most: int = 300
    regime: Regime | None = None
    iterations: int | None = None
    batch_size: int = 32
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, can_be, wanted in (
            (
                "budgets",
                self.budgets is None
                or (self.budgets and all(0 < b < math.inf for b in self.budgets)),
                "one positive number or more",
            ),
            (
                "neighbours",
                self.neighbours and all(n is None or n >= 1 for n in self.neighbours),
                "one number or more, each at least 1",
            ),
            ("typical", 0 < self.typical < 1, f"between 0 and 1, such as {TYPICAL}"),
            ("most", self.most >= 1, "at least 1"),
            (
                "regime",
                self.regime in (None, *get_args(Regime)),
                "mixtures or features",
            ),
            (
                "iterations",
                self.iterations is None or self.iterations >= 0,
                "0 or more",
            ),
            ("batch_size", self.batch_size >= 1, "at least 1"),
        ):
            if not can_be:
                raise TraversalError(
                    f'"{name}" is {getattr(self, name)}: let it be {wanted}.'
                )

    @property
    def path(self) -> tuple[float, ...]:
        """Budgets that are tried, in the order in which the change grows."""
        return tuple(sorted(self.budgets or BUDGETS, reverse=True))

    @property
    def steps(self) -> int:
        """Steps of each image after the original."""
        return len(self.path)

    def iterations_of(self, regime: Regime) -> int:
        """Return the iterations for each step."""
        usual = {"mixtures": 5, "features": 8}
        return usual[regime] if self.iterations is None else self.iterations
