"""Choice of the device that a network runs on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_spaceediting.errors import SpaceEditingError, TrainingFailed
from napari_spaceediting.network.processes import processes


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of that name.

    Parameters
    ----------
    name : str
        "auto" (the best one there is), "cpu", "cuda" (or "cuda:1") or "mps". Of
        several processes each has one of its own.

    Raises
    ------
    SpaceEditingError
        If this machine has no such device.
    """
    own = processes().device
    if own is not None:
        return own
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if not available.get(name.partition(":")[0], False):
        usable = ", ".join(kind for kind, there in available.items() if there)
        raise SpaceEditingError(
            f'The device "{name}" is not available here: choose one of auto, {usable}.'
        )
    return torch.device(name)


def describe_device(device: torch.device) -> str:
    """Return a name for people, such as "cuda (NVIDIA H100)"."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


def gains_by_bfloat16(device: torch.device) -> bool:
    """Whether a device computes faster in bfloat16 than in float32.

    Graphics cards do that can compute in it (NVIDIA's since Ampere). Most processors
    only imitate it; with those that can, the numbers would depend on which one it is.
    """
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which networks compute in bfloat16 if the device gains by it.

    Weights and gradients stay in float32. Unlike float16, bfloat16 has the range of
    float32, so that no loss needs to be scaled (Kalamkar et al. 2019).
    """
    if gains_by_bfloat16(device):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def tensor_on(device: torch.device, array: NDArray[np.generic]) -> Tensor:
    """Return an array as a tensor on a device."""
    return torch.as_tensor(np.ascontiguousarray(array), device=device)


@contextmanager
def torch_errors_in_words() -> Iterator[None]:
    """Turn errors of torch into `TrainingFailed` with a sentence to act on."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory() from error
    except RuntimeError as error:
        if "allocate memory" in str(error) or "out of memory" in str(error):
            raise _out_of_memory() from error
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise TrainingFailed(f"The network could not be run: {reason}.") from error


def _out_of_memory() -> TrainingFailed:
    return TrainingFailed(
        "The memory is not enough for this network: choose a smaller batch size or "
        "train only the head."
    )
