"""Backbones of timm, any of its models by name."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_spaceediting.errors import SpaceEditingError, reason_of
from napari_spaceediting.network.backbones import Backbone, Foreign, Prepare
from napari_spaceediting.network.reach import cached_weights, is_in_reach
from napari_spaceediting.network.spec import PUBLISHED, TIMM, ClassifierSpec
from napari_spaceediting.network.weights import read_weights

_LARGEST_SIDE = 224
"""Pixels of the images that a data set gives, at most: more would be made up."""


def build(spec: ClassifierSpec) -> Backbone:
    """Build the model of timm that a spec names as "timm:NAME".

    Images are normalised, resized and interpolated as the model's own configuration
    says. What was made for more than 224 px gets 224 px, if it can take them. Weights
    in a file may be named as timm or the authors of the model name them.

    Raises
    ------
    SpaceEditingError
        If timm is not installed or knows no such model, or its weights cannot be
        fetched or do not fit.
    """
    name = spec.backbone.removeprefix(TIMM)
    model, side = _model(name, spec)
    config = model.pretrained_cfg
    channels = config["input_size"][0]
    mean, std = tuple(config["mean"]), tuple(config["std"])
    if spec.in_channels not in (1, channels):
        mean = (sum(mean) / len(mean),) * spec.in_channels
        std = (sum(std) / len(std),) * spec.in_channels
    prepare = Prepare(mean, std, size=(side, side), mode=config["interpolation"])
    trunk, last_block = _split(model)
    with torch.inference_mode():
        blank = torch.zeros(1, spec.in_channels, side, side)
        n_features = last_block.eval()(trunk.eval()(prepare(blank))).shape[1]
    return Backbone(nn.Sequential(prepare, trunk), last_block, n_features)


def _model(name: str, spec: ClassifierSpec) -> tuple[Any, int]:
    """Return a model and the side of the images that it is given, in pixels."""
    try:
        import timm
    except ImportError as error:
        raise SpaceEditingError(
            f'"{TIMM}{name}" needs timm: pip install napari-spaceediting[timm].'
        ) from error
    if not timm.is_model(name) and name not in timm.list_pretrained():
        close = get_close_matches(name, timm.list_pretrained(), cutoff=0.4)
        raise SpaceEditingError(
            f'timm {timm.__version__} has no model "{name}": choose another, such as '
            f"{', '.join(close) or 'vit_small_patch14_dinov2.lvd142m'}."
        )
    wanted: dict[str, Any] = {"num_classes": 0}
    if spec.in_channels not in (1, 3):
        wanted["in_chans"] = spec.in_channels
    if spec.weights is not None:
        wanted["pretrained"] = True
        wanted["pretrained_cfg_overlay"] = _source(spec)
    try:
        return _at_size(name, lambda **more: timm.create_model(name, **wanted, **more))
    except SpaceEditingError:
        raise
    except Exception as error:  # whatever hub and file give rise to
        if spec.weights is None:
            raise SpaceEditingError(
                f'"{TIMM}{name}" could not be made ({reason_of(error)}).'
            ) from error
        if spec.weights != PUBLISHED:
            # Of names and shapes that differ torch tells on many lines.
            why = "" if isinstance(error, RuntimeError) else f" ({reason_of(error)})"
            raise SpaceEditingError(
                f"The weights of {spec.weights} do not fit {name}{why}: choose the "
                "model that they were trained with."
            ) from error
        raise SpaceEditingError(
            f"The published weights of {name} could not be fetched "
            f"({reason_of(error)}): check the network connection, or download them "
            "elsewhere and give the path of the file instead."
        ) from error


def _source(spec: ClassifierSpec) -> dict[str, Any]:
    """Return where timm finds the weights, as it has it; those in a file are read here.

    So nothing but tensors is read, and all that the model needs must be among them.
    """
    path = cached_weights(spec.backbone)
    if spec.weights != PUBLISHED:
        path = Path(str(spec.weights))
    elif path is None:
        if not is_in_reach(spec.backbone):
            raise SpaceEditingError(
                f"The published weights of {spec.backbone} are neither on this machine "
                "nor in reach: connect it to the network, or download them elsewhere "
                "and give the path of the file instead."
            )
        return {}
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(spec.backbone.removeprefix(TIMM))
    heads = config.classifier if config is not None else None
    named = (heads,) if isinstance(heads, str) else heads or ()
    without = tuple(f"{head}." for head in named)
    weights = {
        name: value
        for name, value in read_weights(path).items()
        if not name.startswith(without)
    }
    return {"state_dict": weights, "num_classes": 0}


def _at_size(name: str, make: Callable[..., Any]) -> tuple[Any, int]:
    """Make a model, for images that a data set can give if it can take these."""
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(name)
    if config is None or config.input_size[-1] <= _LARGEST_SIDE:
        model = make()
        return model, model.pretrained_cfg["input_size"][-1]
    try:
        return make(img_size=_LARGEST_SIDE), _LARGEST_SIDE
    except (TypeError, AssertionError):  # its size is given, or of no account
        is_fixed = config.fixed_input_size
        return make(), config.input_size[-1] if is_fixed else _LARGEST_SIDE


def _is_vit(model: Any) -> bool:
    from timm.models.vision_transformer import VisionTransformer

    return type(model) is VisionTransformer and model.attn_pool is None


def _split(model: Any) -> tuple[nn.Module, nn.Module]:
    """Return what comes before and after the activations that may be kept.

    Of a plain vision transformer the last layer stands behind them; of others, no more
    than what pools.
    """
    if not _is_vit(model):
        return _Features(model), _Pooled(model)
    layer, norm, fc_norm = model.blocks[-1], model.norm, model.fc_norm
    model.blocks = model.blocks[:-1]
    model.norm = model.fc_norm = nn.Identity()
    return _Features(model), _LastLayer(layer, norm, fc_norm, model.pool)


class _Features(Foreign):
    """All of a model before its head."""

    def forward(self, images: Tensor) -> Tensor:
        model: Any = self.network
        found: Tensor = model.forward_features(images)
        return found


class _Pooled(nn.Module):
    """The head of a model, without classes; its weights are those of `_Features`."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._pool = model.forward_head

    def forward(self, found: Tensor) -> Tensor:
        pooled: Tensor = self._pool(found, pre_logits=True)
        return pooled


class _LastLayer(nn.Module):
    """The last layer of a vision transformer, and what pools its tokens."""

    def __init__(
        self,
        layer: nn.Module,
        norm: nn.Module,
        fc_norm: nn.Module,
        pool: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.layer, self.norm, self.fc_norm = layer, norm, fc_norm
        self._pool = pool  # has no weights

    def forward(self, tokens: Tensor) -> Tensor:
        pooled: Tensor = self.fc_norm(self._pool(self.norm(self.layer(tokens))))
        return pooled
