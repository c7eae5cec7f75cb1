"""The processes that share a piece of work: one, or those of PyTorch's launcher.

``torchrun`` starts the same command several times, on one machine or on many. Each of
the processes runs the same job with the same random choices; in few places, all of them
here, a process does its share only and the shares are put together. So there is one
implementation of every job, and a process alone is the case of one share.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_spaceediting.errors import SpaceEditingError

_BLOCK = 1 << 24
"""Numbers that are exchanged at once."""


class Processes:
    """One process alone.

    Attributes
    ----------
    rank : int
        Number of this process; 0 is the one that writes and tells.
    size : int
        How many there are.
    device : torch.device or None
        That of this process, where they have one each.
    """

    rank = 0
    size = 1
    device: torch.device | None = None

    def share(self, n: int) -> slice:
        """Return which of n rows are for this process to do."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def wait(self) -> None:
        """Wait until all are here."""

    def gathered(self, rows: Tensor, n: int) -> Tensor:
        """Put together the rows that each has computed, shape (n, ...).

        All processes must make the same loss of the result: the gradient of the rows is
        that of this loss.
        """
        return rows

    def complete(self, array: NDArray[np.float32]) -> None:
        """Fill in, in place, the rows that others have computed."""

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients that each has from its rows."""

    @contextmanager
    def one_batch(self, module: nn.Module) -> Iterator[None]:
        """Let batch norms count the rows of all processes as one batch."""
        yield


class LaunchedProcesses(Processes):
    """Processes that were started by ``torchrun``, joined by Lightning Fabric.

    Parameters
    ----------
    device : str
        "cpu", or else each takes a graphics card of its own where there are enough.
    """

    def __init__(self, device: str = "auto") -> None:
        try:
            from lightning_fabric import Fabric
        except ImportError as error:
            raise SpaceEditingError(
                "Several processes need Lightning Fabric: install it with "
                "'pip install napari-spaceediting[distributed]'."
            ) from error
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        with_cards = device != "cpu" and torch.cuda.device_count() >= here
        fabric = Fabric(
            accelerator="cuda" if with_cards else "cpu",
            strategy="ddp",
            devices=here,
            num_nodes=int(os.environ["WORLD_SIZE"]) // here,
        )
        fabric.launch()
        self.rank, self.size = fabric.global_rank, fabric.world_size
        self.device = fabric.device

    def wait(self) -> None:
        """Wait until all are here."""
        torch.distributed.barrier()

    def gathered(self, rows: Tensor, n: int) -> Tensor:
        """Put together the rows that each has computed."""
        together = rows.new_zeros((n, *rows.shape[1:]))
        together[self.share(n)] = rows.detach()
        torch.distributed.all_reduce(together)
        # The same once more, but for the gradient.
        together[self.share(n)] = rows
        return together

    def complete(self, array: NDArray[np.float32]) -> None:
        """Fill in, in place, the rows that others have computed."""
        share = self.share(len(array))
        array[: share.start] = 0
        array[share.stop :] = 0
        step = max(1, _BLOCK // max(int(np.prod(array.shape[1:])), 1))
        for start in range(0, len(array), step):
            block = torch.from_numpy(array[start : start + step]).to(self.device)
            torch.distributed.all_reduce(block)
            array[start : start + step] = block.cpu().numpy()

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients that each has from its rows."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(together)
        start = 0
        for gradient in gradients:
            total = together[start : start + gradient.numel()]
            gradient.copy_(total.view_as(gradient))
            start += gradient.numel()

    @contextmanager
    def one_batch(self, module: nn.Module) -> Iterator[None]:
        """Let batch norms count the rows of all processes as one batch."""
        layers = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
        for layer in layers:
            # An attribute of the layer itself hides the method of its class.
            layer.forward = partial(_batch_norm, layer)  # type: ignore[method-assign]
        try:
            yield
        finally:
            for layer in layers:
                del layer.forward


_here = Processes()


def processes() -> Processes:
    """Return the processes that this one works with."""
    return _here


def are_launched() -> bool:
    """Whether this process is one of several that ``torchrun`` has started."""
    return int(os.environ.get("WORLD_SIZE", 1)) > 1 and "LOCAL_RANK" in os.environ


@contextmanager
def launched(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that ``torchrun`` has started, if it has started several.

    Parameters
    ----------
    device : str
        As for `LaunchedProcesses`.

    Raises
    ------
    SpaceEditingError
        If Lightning Fabric is not installed.
    """
    global _here
    if not are_launched():
        yield _here
        return
    alone, _here = _here, LaunchedProcesses(device)
    try:
        yield _here
    finally:
        _here = alone
        torch.distributed.destroy_process_group()


def _batch_norm(layer: nn.BatchNorm2d, inputs: Tensor) -> Tensor:
    """Do what a batch norm does, over the images of all processes.

    As `torch.nn.SyncBatchNorm`, which works on graphics cards only.
    """
    from torch.distributed.nn.functional import all_reduce  # with its gradient

    if not layer.training:
        return nn.BatchNorm2d.forward(layer, inputs)
    inputs = inputs.float()  # bfloat16 cannot count
    here = inputs.new_tensor([inputs.numel() / inputs.shape[1]])
    torch.distributed.all_reduce(here)
    n = here.item()
    mean = all_reduce(inputs.sum(dim=(0, 2, 3))) / n  # type: ignore[no-untyped-call]
    apart = inputs - mean[:, None, None]
    total = all_reduce(apart.square().sum(dim=(0, 2, 3)))  # type: ignore[no-untyped-call]
    variance = total / n
    if layer.track_running_stats and layer.momentum is not None:
        with torch.no_grad():
            assert layer.running_mean is not None
            assert layer.running_var is not None
            assert layer.num_batches_tracked is not None
            layer.running_mean.lerp_(mean, layer.momentum)
            layer.running_var.lerp_(variance * n / max(n - 1, 1), layer.momentum)
            layer.num_batches_tracked.add_(1)
    outputs: Tensor = apart / (variance[:, None, None] + layer.eps).sqrt()
    if layer.affine:
        outputs = outputs * layer.weight[:, None, None] + layer.bias[:, None, None]
    return outputs
