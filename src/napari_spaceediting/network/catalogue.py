"""The backbones that there are, by name, and how to use one's own.

Any module can serve. A function in an installed package makes the backbone::

    def my_backbone(spec):
        return Backbone(my_module, nn.Flatten(), n_features=512)

and is named by where it is, ``my_package.my_module:my_backbone``. So it is found by
every process that works on a session, now and when the session is opened again. Code
that the user has not named is not run: see `trust`.
`spec.in_channels` and `spec.image_size` say what images come. Weights in a local file
are loaded by `build_backbone`; the function only needs to look at `spec.weights` if it
has published ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

import torch

from napari_spaceediting.errors import SpaceEditingError, reason_of
from napari_spaceediting.network.backbones import Backbone, embeddings, small_cnn
from napari_spaceediting.network.spec import (
    BACKBONES,
    EMBEDDINGS,
    PUBLISHED,
    PUBLISHED_BACKBONES,
    ClassifierSpec,
)
from napari_spaceediting.network.trust import (
    check_trust,
    is_file,
    is_imported,
    is_timm,
)
from napari_spaceediting.network.weights import load_weights, read_weights

BackboneFactory = Callable[[ClassifierSpec], Backbone]

_SHAPES: dict[tuple[str, int, tuple[int, int]], tuple[int, ...]] = {}
"""Of the activations of an image, by backbone, channels and size: asking takes long."""


def build_backbone(spec: ClassifierSpec) -> Backbone:
    """Build the backbone of a spec with the weights and the layout that it names.

    A local file holds the weights under the names that they have in `Backbone` or in
    a `LatentClassifier`, whose embedding and head are left out; for a backbone of
    torchvision the names that torchvision gives them will do too. Random weights come
    from torch's global generator.

    Raises
    ------
    UntrustedBackbone
        If it is code that the user has not named.
    SpaceEditingError
        If the name is unknown, what it names makes no backbone, or the weights are
        missing or do not fit.
    """
    backbone = _built(spec)
    if spec.layout:
        seen = spec.backbone, spec.in_channels, spec.image_size
        if seen not in _SHAPES:
            blank = torch.zeros(1, spec.in_channels, *spec.image_size)
            with torch.inference_mode():
                _SHAPES[seen] = backbone.eval().trunk(blank).shape[1:]
        backbone.add_layout(_SHAPES[seen])
    return backbone


def _built(spec: ClassifierSpec) -> Backbone:
    build = _factory(spec.backbone)
    if spec.weights is None or spec.weights == PUBLISHED:
        return build(spec)
    weights = {
        name.removeprefix("backbone."): value
        for name, value in read_weights(spec.weights).items()
    }
    parts = ("trunk.", "last_block.")
    ours = {name: value for name, value in weights.items() if name.startswith(parts)}
    named_otherwise = spec.backbone in PUBLISHED_BACKBONES or is_timm(spec.backbone)
    if not ours and named_otherwise:
        return build(spec)
    backbone = build(replace(spec, weights=None))
    load_weights(backbone, ours or weights, Path(spec.weights).name)
    return backbone


def _factory(name: str) -> BackboneFactory:
    """Return one of those that come with the program, or import one's own."""
    if name == "small_cnn":
        return small_cnn
    if name == EMBEDDINGS:
        return embeddings
    if name in PUBLISHED_BACKBONES:
        from napari_spaceediting.network.published import build  # torchvision: slow

        return partial(build, name)
    if is_timm(name):
        from napari_spaceediting.network.timm_models import build as build_timm

        return build_timm
    if is_file(name):
        check_trust(name)
        from napari_spaceediting.network.exported import build as build_file

        return build_file
    if not is_imported(name):
        raise SpaceEditingError(
            f'There is no backbone "{name}": choose one of {", ".join(BACKBONES)}, or '
            'name a model of timm as "timm:NAME", a file with an exported network as '
            '"file:PATH", or a function of your own as "package.module:function".'
        )
    check_trust(name)
    module, _, attribute = name.partition(":")
    try:
        factory = getattr(import_module(module), attribute)
    except Exception as error:  # whatever its module raises
        raise SpaceEditingError(
            f'The backbone "{name}" was not found ({reason_of(error)}): install the '
            "package that has it, and check the name."
        ) from error
    return partial(_made_by, factory, name)


def _made_by(factory: BackboneFactory, name: str, spec: ClassifierSpec) -> Backbone:
    """Call a function of somebody else's, which may do anything."""
    try:
        backbone = factory(spec)
    except SpaceEditingError:
        raise
    except Exception as error:
        raise SpaceEditingError(
            f'The backbone "{name}" could not be made ({reason_of(error)}): put that '
            "right in its package."
        ) from error
    if not isinstance(backbone, Backbone):
        raise SpaceEditingError(
            f'"{name}" makes no backbone but a {type(backbone).__name__}: it must '
            "return a Backbone, of napari_spaceediting.network.backbones."
        )
    return backbone
