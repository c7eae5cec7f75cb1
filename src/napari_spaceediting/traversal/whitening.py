"""Coordinates in which changes of images are as likely in every direction."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Whitening:
    """Changes of images by colour axis and frequency, each in units of what is usual.

    Differences of real images have more energy at low frequencies, and along some
    colours, than at others. Unknowns that are scaled by it change an image as real ones
    differ: a gradient gives soft and coloured changes in place of noise.

    Parameters
    ----------
    axes : (C, C) float32 tensor
        Columns are colours.
    amplitudes : (C, H, W // 2 + 1) float32 tensor
        Usual size along each axis at each frequency of the image.
    width : int
        W.
    """

    def __init__(self, axes: Tensor, amplitudes: Tensor, width: int) -> None:
        self.axes = axes
        self.amplitudes = amplitudes
        self.shape = len(axes), amplitudes.shape[1], width

    @property
    def n_unknowns(self) -> int:
        """Numbers that make a change."""
        return 2 * self.amplitudes.numel()

    def change(self, unknowns: Tensor) -> Tensor:
        """Return changes (n, C, H, W) from unknowns (n, `n_unknowns`)."""
        parts = unknowns.view(-1, *self.amplitudes.shape, 2)
        spectrum = torch.view_as_complex(parts) * self.amplitudes
        along = torch.fft.irfft2(spectrum, self.shape[1:], norm="ortho")
        return torch.einsum("ca,nahw->nchw", self.axes, along)


def learn_whitening(
    differences: Iterable[NDArray[np.float32]], device: torch.device
) -> Whitening:
    """Learn what changes are usual.

    Parameters
    ----------
    differences : iterable of (n, C, H, W) float32 arrays
        Between pairs of real images, over the root of 2.
    device : torch.device
        Where changes are made.

    Raises
    ------
    ValueError
        If there are none.
    """
    covariance, products, count = None, None, 0
    for some in differences:
        channels, height, width = some.shape[1:]
        rings, n_rings = _rings(height, width)
        window = np.outer(_hann(height), _hann(width)) ** 0.5
        window /= np.sqrt(np.square(window).mean())
        spectra = np.fft.rfft2(some * window.astype(np.float32), norm="ortho")
        spectra = spectra.reshape(len(some), channels, -1)
        if products is None or covariance is None:
            covariance = np.zeros((channels, channels))
            products = np.zeros((channels, channels, n_rings))
        covariance += np.einsum("nahw,nbhw->ab", some, some, dtype=np.float64)
        for a in range(channels):
            for b in range(channels):
                both = (spectra[:, a] * spectra[:, b].conj()).real.sum(axis=0)
                products[a, b] += np.bincount(rings.ravel(), both, n_rings)
        count += len(some)
    if covariance is None or products is None:
        raise ValueError("there are no differences to learn from")
    axes = np.linalg.eigh(covariance)[1]
    energies = np.einsum("ai,abr,bi->ir", axes, products, axes)
    energies /= count * np.maximum(np.bincount(rings.ravel(), minlength=n_rings), 1)
    amplitudes = np.sqrt(np.maximum(energies, 0))[:, rings]
    return Whitening(
        torch.tensor(axes, dtype=torch.float32, device=device),
        torch.tensor(amplitudes, dtype=torch.float32, device=device),
        width,
    )


def _rings(height: int, width: int) -> tuple[NDArray[np.int64], int]:
    """Return the ring of each frequency (H, W // 2 + 1), and how many there are."""
    side = min(height, width)
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    rings = np.rint(side * frequencies).astype(np.int64)
    last = side // 2
    return np.minimum(rings, last), last + 1


def _hann(length: int) -> NDArray[np.float64]:
    """Return a periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
