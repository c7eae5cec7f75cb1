"""Minimisation of many problems at once, each within the same box."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

Function = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From points (m, P) and which of the problems they belong to, (m,), to losses (m,) and
gradients (m, P)."""

_MEMORY = 10
_TRIES = 6
_SUFFICIENT = 1e-4
_SHORTER = 0.3
_FIRST_CHANGE = 0.1


class Minimiser:
    """Projected L-BFGS with a line search of its own for each of n problems.

    Directions follow Liu & Nocedal (1989) on the coordinates that are not held by the
    box (Bertsekas 1982); steps are projected back into it and shortened until they
    descend enough (Armijo). A problem that finds no such step starts anew from the
    gradient. What is learnt of the curvature serves the next call as well, so that
    problems that hardly differ follow each other cheaply.

    Parameters
    ----------
    low, high : float, optional
        The box.
    """

    def __init__(self, low: float = -math.inf, high: float = math.inf) -> None:
        self._low, self._high = low, high
        self._memory: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=_MEMORY)
        self._usable: Tensor | None = None
        self._scale: Tensor | None = None

    def minimise(
        self, function: Function, start: Tensor, iterations: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Go down from a start.

        Parameters
        ----------
        function : callable
            Losses and gradients.
        start : (n, P) tensor
            Points inside the box; n and P as in the calls before.
        iterations : int
            How many.

        Yields
        ------
        points : (n, P) tensor
            After each iteration; their losses never rise.
        losses : (n,) tensor
        """
        low, high, memory = self._low, self._high, self._memory
        points = start.clone()
        everyone = torch.arange(len(points), device=points.device)
        losses, gradients = function(points, everyone)
        usable, scale = self._usable, self._scale
        if usable is None or scale is None:
            usable = torch.zeros(len(points), dtype=torch.bool, device=points.device)
            scale = torch.ones_like(losses)
        for _ in range(iterations):
            held = ((points <= low) & (gradients > 0)) | (
                (points >= high) & (gradients < 0)
            )
            free = torch.where(held, 0, gradients)
            directions = torch.where(
                held, 0, -_times_inverse_hessian(free, memory, scale)
            )
            slopes = _products(directions, free)
            steepest = ~usable | (slopes >= 0) | ~slopes.isfinite()
            largest = free.abs().amax(dim=1, keepdim=True).clamp_min(1e-30)
            directions = torch.where(
                steepest[:, None], -_FIRST_CHANGE / largest * free, directions
            )
            before, slope_before = points.clone(), gradients.clone()
            lengths = torch.ones_like(losses)
            rows = everyone
            for _ in range(_TRIES):
                tried = points[rows] + lengths[rows, None] * directions[rows]
                tried = tried.clamp(low, high)
                new_losses, new_gradients = function(tried, rows)
                promised = _products(tried - points[rows], gradients[rows])
                good = new_losses <= losses[rows] + _SUFFICIENT * promised.clamp_max(0)
                done = rows[good]
                points[done], losses[done] = tried[good], new_losses[good]
                gradients[done] = new_gradients[good]
                rows = rows[~good]
                if not len(rows):
                    break
                lengths[rows] *= _SHORTER
            steps, turns = points - before, gradients - slope_before
            curvatures, squares = _products(steps, turns), _products(turns, turns)
            curved = curvatures > 1e-10 * squares
            inverse = torch.where(curved, 1 / curvatures.clamp_min(1e-30), 0)
            newest = curvatures / squares.clamp_min(1e-30)
            scale = torch.where(curved, newest, scale)
            # A problem without a good step forgets; the others keep what they know.
            usable = curved | usable
            usable[rows], scale[rows] = False, 1
            for old_steps, old_turns, old_inverse in memory:
                for values in (old_steps, old_turns, old_inverse):
                    values[rows] = 0
            memory.append((steps, turns, inverse))
            self._usable, self._scale = usable, scale
            yield points.clone(), losses.clone()


def _times_inverse_hessian(
    gradients: Tensor, memory: deque[tuple[Tensor, Tensor, Tensor]], scale: Tensor
) -> Tensor:
    """Return the two-loop recursion of L-BFGS, for each row apart.

    A pair whose inverse curvature is 0 has no effect on its row.
    """
    result = gradients.clone()
    shares = []
    for steps, turns, inverse in reversed(memory):
        share = inverse * _products(steps, result)
        result.addcmul_(share[:, None], turns, value=-1)
        shares.append(share)
    result *= scale[:, None]
    for (steps, turns, inverse), share in zip(memory, reversed(shares), strict=True):
        back = inverse * _products(turns, result)
        result.addcmul_((share - back)[:, None], steps)
    return result


def _products(one: Tensor, other: Tensor) -> Tensor:
    """Return the inner product of each row of both, without a copy of their size."""
    return torch.stack([a @ b for a, b in zip(one, other, strict=True)])
