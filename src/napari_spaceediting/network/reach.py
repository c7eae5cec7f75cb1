"""Whether published weights can be had: from a cache, or over the network."""

from __future__ import annotations

import socket
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import getproxies

from napari_spaceediting.network.spec import PUBLISHED_BACKBONES, TIMM

_PATIENCE = 3.0
"""Seconds that an answer may take."""
_FILES = "model.safetensors", "pytorch_model.bin"


def has_timm() -> bool:
    """Whether timm is installed."""
    return find_spec("timm") is not None


def cached_weights(backbone: str) -> Path | None:
    """Return the file of published weights that has been fetched before, if it was.

    Parameters
    ----------
    backbone : str
        One of torchvision, or "timm:NAME" if timm is installed.
    """
    if backbone in PUBLISHED_BACKBONES:
        from torch.hub import get_dir

        path = (
            Path(get_dir())
            / "checkpoints"
            / Path(urlparse(_url_of(backbone)).path).name
        )
        return path if path.is_file() else None
    config = _config_of(backbone)
    if config is None or not config.hf_hub_id:
        return None
    from huggingface_hub import try_to_load_from_cache

    for name in (config.hf_hub_filename, *_FILES):
        found = name and try_to_load_from_cache(config.hf_hub_id, name)
        if isinstance(found, str):
            return Path(found)
    return None


def is_in_reach(backbone: str) -> bool:
    """Whether published weights of a backbone are in a cache, or on the network."""
    if cached_weights(backbone) is not None:
        return True
    if backbone in PUBLISHED_BACKBONES:
        return answers(_url_of(backbone))
    config = _config_of(backbone)
    if config is None or not config.has_weights:
        return False
    if config.url:
        return answers(config.url)
    from huggingface_hub.constants import ENDPOINT

    return answers(ENDPOINT)


@cache
def answers(url: str) -> bool:
    """Whether the server of an address can be spoken to; with a proxy it may be."""
    place = urlparse(url)
    if getproxies().get(place.scheme):
        return True
    port = place.port or {"http": 80}.get(place.scheme, 443)
    try:
        with socket.create_connection((place.hostname, port), _PATIENCE):
            return True
    except OSError:
        return False


def _url_of(backbone: str) -> str:
    from torchvision.models import get_model_weights

    return str(get_model_weights(backbone).DEFAULT.url)


def _config_of(backbone: str) -> Any:
    """Return what timm knows of the weights of a model; None if it knows of none."""
    if not backbone.startswith(TIMM) or not has_timm():
        return None
    from timm.models import get_pretrained_cfg

    return get_pretrained_cfg(backbone.removeprefix(TIMM))
