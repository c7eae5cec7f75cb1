"""How a traversal is done, and what can be wrong with what was asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from napari_spaceediting.errors import SpaceEditingError

Method = Literal["dmt", "dfi"]
"""Deep Manifold Traversal; Deep Feature Interpolation."""

BUDGETS: dict[Method, tuple[float, ...]] = {
    "dmt": (0.5, 0.3, 0.2, 0.14, 0.1, 0.06, 0.03, 0.01),
    "dfi": (0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.5),
}
"""What is tried by each method, from little to much change."""

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
    """Settings of one traversal.

    Parameters
    ----------
    method : {"dmt", "dfi"}
        Deep Manifold Traversal (Gardner et al., arXiv 1511.06421), or, quicker, Deep
        Feature Interpolation (Upchurch et al. 2017, arXiv 1611.05507).
    budgets : tuple of float, optional
        One for each step of the path; if not given, each image has its own, by which it
        arrives at step `TO_ARRIVAL`. For "dmt" the price of change, per mean
        squared change of the standardised features: the smaller, the further an image
        goes. For "dfi" the length of the step in differences of the means: the larger,
        the further. They may come in any order.
    neighbours : tuple of int or None
        Each image is moved by only so many of its nearest images in the source and in
        the target; None for all. Of several numbers each image takes the one by which
        it arrives with the least change.
    typical : float
        How typical of the target an image must be to have arrived: as near to a real
        one as this share of them is to each other. The smaller, the more it changes.
    layers : tuple of str, optional
        Modules of the backbone whose outputs are the features; `default_layers` if
        not given.
    most : int
        Images that are used of every source and of the target, drawn at random.
    kernel_mean : float
        Mean of the kernel between an image and its target, which sets the bandwidth.
    tv_weight : float
        Of the total variation of the images, see `reconstruct`.
    preview_weight : float
        Of staying near to the preview, in units of the variance of the pixels. Where
        objects do not lie alike, mixtures are blurred: see `from_features_alone`.
    iterations : int
        Of the reconstruction, for each step of the path. With 0 the images are the
        previews, mixtures of real ones: they are there at once and, where all objects
        lie alike, convince no less.
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

    method: Method = "dmt"
    budgets: tuple[float, ...] | None = None
    neighbours: tuple[int | None, ...] = FITTING
    typical: float = TYPICAL
    layers: tuple[str, ...] | None = None
    most: int = 300
    kernel_mean: float = 0.5
    tv_weight: float = 0.05
    preview_weight: float = 10.0
    iterations: int = 5
    batch_size: int = 32
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise TraversalError(
                f'There is no method "{self.method}": choose one of '
                f"{', '.join(get_args(Method))}."
            )
        if self.budgets is not None and not self.budgets:
            raise TraversalError("There is no budget: give at least one.")
        for budget in self.path:
            if not (math.isfinite(budget) and budget > 0):
                raise TraversalError(
                    f"The budget {budget} is no positive number: give a larger one."
                )
        if not 0 < self.kernel_mean < 1:
            raise TraversalError(
                f"The mean of the kernel is {self.kernel_mean}: choose it between 0 "
                "and 1, such as 0.5."
            )
        for name, weight in (
            ("total variation", self.tv_weight),
            ("preview", self.preview_weight),
        ):
            if not (math.isfinite(weight) and weight >= 0):
                raise TraversalError(
                    f"The weight of the {name} is {weight}: let it be 0 or more."
                )
        if self.iterations < 0:
            raise TraversalError(
                f'"iterations" is {self.iterations}: let it be 0 or more.'
            )
        if not 0 < self.typical < 1:
            raise TraversalError(
                f'"typical" is {self.typical}: choose it between 0 and 1, such as '
                f"{TYPICAL}."
            )
        if not self.neighbours:
            raise TraversalError("No number of neighbours is given: give at least one.")
        for name, value in (
            *(("neighbours", number) for number in self.neighbours),
            ("most", self.most),
            ("batch_size", self.batch_size),
        ):
            if value is not None and value < 1:
                raise TraversalError(f'"{name}" is {value}: let it be at least 1.')

    def from_features_alone(self) -> TraverseSettings:
        """Return the same, but that nothing holds images to a preview, as published."""
        return replace(self, preview_weight=0.0, iterations=2 * self.iterations)

    @property
    def path(self) -> tuple[float, ...]:
        """Budgets that are tried, in the order in which the change grows."""
        budgets = BUDGETS[self.method] if self.budgets is None else self.budgets
        return tuple(sorted(budgets, reverse=self.method == "dmt"))

    @property
    def steps(self) -> int:
        """Steps of each image after the original."""
        return len(self.path)
