"""How a round of retraining is done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from napari_spaceediting.editing.arms import ARMS, comparisons
from napari_spaceediting.editing.material import are_few
from napari_spaceediting.errors import TrainingFailed
from napari_spaceediting.network.spec import Trainable


@dataclass(frozen=True)
class RetrainSettings:
    """Settings of one round.

    All but the part that trains and what it is compared with is for descent, where
    more than the head trains; a head is solved. Weights left at None follow from the
    share of training images that have a class: one value with few labels, below one
    half, another with many.

    Parameters
    ----------
    steps : int
        Optimiser steps.
    batch_size : int
        Labelled images per step.
    edit_batch_size : int
        Edited, and as many untouched, images per step.
    learning_rate : float or None
        The highest of one cycle (Smith & Topin 2019); None for 3e-3 where only the
        head trains and 1e-3 else.
    weight_decay : float
        Of AdamW.
    mixup : float
        Alpha of the beta distribution that mixes images (Zhang et al. 2018).
    anchor_weight : float or None
        Of the regression of edited images to their latent anchors.
    keep_weight : float or None
        Of the regression of untouched images to their old latents.
    averaging : float or None
        Decay of the exponential moving average of the weights.
    trainable : {"head", "last_block", "all"}
        Which part trains.
    recipe : {"solved", "descent"}
        Whether classes come in closed form (see `learning`), or, as in rounds of
        earlier versions, by descent from the labels alone.
    arms : tuple of str
        What to train beside it for comparison, of `comparisons`.
    repeats : int
        Seeds that all of it is repeated over, from `seed` on; the network of the first
        is taken.
    seed : int
        Of every random choice.
    device : str
        "auto", "cpu", "cuda" or "mps".
    """

    steps: int = 200
    batch_size: int = 128
    edit_batch_size: int = 64
    learning_rate: float | None = None
    weight_decay: float = 1e-3
    mixup: float = 1.0
    anchor_weight: float | None = None
    keep_weight: float | None = None
    averaging: float | None = None
    trainable: Trainable = "head"
    recipe: Literal["solved", "descent"] = "solved"
    arms: tuple[str, ...] = tuple(name for name, arm in ARMS.items() if arm.is_usual)
    repeats: int = 1
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        offered = comparisons()
        unknown = [arm for arm in self.arms if arm not in offered]
        if unknown:
            raise TrainingFailed(
                f"There is no comparison '{unknown[0]}': choose among "
                f"{', '.join(offered)}."
            )
        if self.repeats < 1:
            raise TrainingFailed(
                f"A round cannot be repeated over {self.repeats} seeds: choose 1 or "
                "more."
            )

    @property
    def descends(self) -> bool:
        """Whether a network is trained step by step, so that chance plays a part."""
        return self.trainable != "head" or self.recipe == "descent"

    @property
    def n_seen(self) -> int:
        """How many images all networks see step by step, each as often as it is."""
        if not self.descends:
            return 0
        networks = 1 + sum(ARMS[arm].is_network for arm in self.arms)
        at_once = self.batch_size + 2 * self.edit_batch_size
        return self.repeats * networks * self.steps * at_once


@dataclass(frozen=True)
class Weights:
    """The weights that a round uses, none of them open."""

    anchor: float
    keep: float
    averaging: float
    learning_rate: float


def weights_for(settings: RetrainSettings, labelled_share: float) -> Weights:
    """Fill in the weights that the settings leave open.

    Parameters
    ----------
    settings : RetrainSettings
        The settings.
    labelled_share : float
        Share of the training images that have a class, 0 to 1.
    """
    few = are_few(labelled_share)
    usual = Weights(
        anchor=0.5 if few else 1.0,
        keep=0.3 if few else 1.0,
        averaging=0.98 if few else 0.99,
        learning_rate=3e-3 if settings.trainable == "head" else 1e-3,
    )
    chosen = {
        "anchor": settings.anchor_weight,
        "keep": settings.keep_weight,
        "averaging": settings.averaging,
        "learning_rate": settings.learning_rate,
    }
    return replace(usual, **{k: v for k, v in chosen.items() if v is not None})
