"""Weights in files on this machine."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from napari_spaceediting.errors import SpaceEditingError

_WRAPPERS = ("state_dict", "model_state_dict", "model")  # as training scripts save


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read the weights in a .pth, .pt or .safetensors file, by name.

    Nothing but tensors is ever unpickled. A checkpoint that holds the weights
    beside other things is looked into, and the "module." that data-parallel
    training puts before names is dropped.

    Raises
    ------
    SpaceEditingError
        If the file is missing or holds no weights.
    """
    path = Path(path)
    if not path.is_file():
        raise SpaceEditingError(
            f"There is no file of weights at {path}: give the path of a .pth, .pt or "
            ".safetensors file."
        )
    try:
        if path.suffix.lower() == ".safetensors":
            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        safetensors.SafetensorError,
        RuntimeError,
        EOFError,
        OSError,
    ) as error:
        raise SpaceEditingError(
            f"{path.name} cannot be read as weights: save the state dict of the "
            "network with torch.save or as .safetensors."
        ) from error
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        content = {}
    weights = {
        str(name).removeprefix("module."): value
        for name, value in content.items()
        if isinstance(value, Tensor)
    }
    if not weights:
        raise SpaceEditingError(
            f"{path.name} holds no weights: save the state dict of the network in it."
        )
    return weights


def load_weights(
    module: nn.Module,
    weights: Mapping[str, Tensor],
    source: str,
    ignore: Callable[[str], bool] = lambda name: False,
) -> None:
    """Put weights into a module, all of them or none.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place.
    weights : mapping of str to tensor
        As from `read_weights`.
    source : str
        Where they come from, for the message.
    ignore : callable
        Says of a name whether it may be absent from either side and is left as
        it is, such as the names of the published classification head.

    Raises
    ------
    SpaceEditingError
        If names are missing or unknown, or shapes differ; the sentence says how
        many and names the first.
    """
    own = {
        name: value for name, value in module.state_dict().items() if not ignore(name)
    }
    given = {name: value for name, value in weights.items() if not ignore(name)}
    # Files older than torch 1.0 lack this counter, which only momentum=None reads.
    counters = {name for name in own if name.endswith("num_batches_tracked")}
    problems = {
        "missing": own.keys() - given.keys() - counters,
        "unknown": given.keys() - own.keys(),
        "of another shape": {
            name
            for name in own.keys() & given.keys()
            if own[name].shape != given[name].shape
        },
    }
    words = []
    for what, names in problems.items():
        if names:
            first = ", ".join(sorted(names)[:3]) + (", …" if len(names) > 3 else "")
            words.append(f"{len(names)} {what} ({first})")
    if words:
        raise SpaceEditingError(
            f"The weights of {source} do not fit this network: {'; '.join(words)}; "
            "choose the backbone that they were trained with."
        )
    module.load_state_dict(given, strict=False)
