"""Two published networks that look at faces, read from the files of face-api.

The weights are those of the npm package ``@vladmandic/face-api`` (MIT): a network for
age, and one whose 128 numbers are near to each other for photographs of one person
(dlib's). Only the files with the weights are read, none of the package's code is run.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_MEAN = torch.tensor([122.782, 117.001, 104.298])[:, None, None]
"""Of red, green and blue, from 0 to 255."""


class IdentityNetwork:
    """From faces (n, 3, 150, 150), 0 to 255, to (n, 128).

    Parameters
    ----------
    folder : Path
        With ``face_recognition_model.bin`` and its manifest.
    """

    side = 150
    _BLOCKS = (
        *("32_1", "32_2", "32_3", "64_down", "64_1", "64_2", "64_3", "128_down"),
        *("128_1", "128_2", "256_down", "256_1", "256_2", "256_down_out"),
    )

    def __init__(self, folder: Path) -> None:
        self._weights = _read(folder, "face_recognition_model")

    def __call__(self, faces: Tensor) -> Tensor:
        """Describe faces."""
        maps = F.relu(self._filtered((faces - _MEAN) / 255, "conv32_down", 2))
        maps = F.max_pool2d(maps, 3, 2)
        for name in self._BLOCKS:
            maps = self._block(maps, f"conv{name}")
        return maps.mean(dim=(2, 3)) @ self._weights["fc"]

    def _block(self, maps: Tensor, name: str) -> Tensor:
        shrinks = "down" in name
        found = F.relu(self._filtered(maps, f"{name}/conv1", 2 if shrinks else 1))
        found = self._filtered(found, f"{name}/conv2")
        if shrinks:
            maps = F.avg_pool2d(maps, 2, 2)
            more = found.shape[1] - maps.shape[1]
            maps = F.pad(maps, (0, 0, 0, 0, 0, more))
            missing = maps.shape[-1] - found.shape[-1]
            found = F.pad(found, (0, missing, 0, missing))
        return F.relu(maps + found)

    def _filtered(self, maps: Tensor, name: str, stride: int = 1) -> Tensor:
        weights = self._weights
        kernel = weights[f"{name}/conv/filters"].permute(3, 2, 0, 1)
        if stride == 1:
            maps = _padded(maps, kernel.shape[-1], 1)
        maps = F.conv2d(maps, kernel, weights[f"{name}/conv/bias"], stride)
        scale, shift = (weights[f"{name}/scale/{one}"] for one in ("weights", "biases"))
        return maps * scale[:, None, None] + shift[:, None, None]


class AgeNetwork:
    """From faces (n, 3, 112, 112), 0 to 255, to years (n, 1).

    Parameters
    ----------
    folder : Path
        With ``age_gender_model.bin`` and its manifest.
    """

    side = 112

    def __init__(self, folder: Path) -> None:
        self._weights = _read(folder, "age_gender_model")

    def __call__(self, faces: Tensor) -> Tensor:
        """Tell the age of faces."""
        maps = (faces - _MEAN) / 255
        maps = F.relu(self._filtered(maps, "entry_flow/conv_in", 2))
        maps = self._reduced(maps, maps, "entry_flow/reduction_block_0")
        maps = self._reduced(maps, F.relu(maps), "entry_flow/reduction_block_1")
        for block in range(self._n_blocks):
            found = maps
            for number in range(3):
                name = f"middle_flow/main_block_{block}/separable_conv{number}"
                found = self._separated(F.relu(found), name)
            maps = maps + found
        maps = self._reduced(maps, F.relu(maps), "exit_flow/reduction_block")
        maps = F.relu(self._separated(maps, "exit_flow/separable_conv"))
        weights = self._weights
        means = F.avg_pool2d(maps, 7, 2).flatten(1)
        return means @ weights["fc/age/weights"] + weights["fc/age/bias"]

    @property
    def _n_blocks(self) -> int:
        return len({n.split("/")[1] for n in self._weights if n.startswith("middle")})

    def _reduced(self, maps: Tensor, found: Tensor, name: str) -> Tensor:
        found = F.relu(self._separated(found, f"{name}/separable_conv0"))
        found = self._separated(found, f"{name}/separable_conv1")
        # Padding must never be the largest.
        found = F.max_pool2d(F.pad(found, (0, 1, 0, 1), value=-1e9), 3, 2)
        return found + self._filtered(maps, f"{name}/expansion_conv", 2)

    def _filtered(self, maps: Tensor, name: str, stride: int) -> Tensor:
        kernel = self._weights[f"{name}/filters"].permute(3, 2, 0, 1)
        maps = _padded(maps, kernel.shape[-1], stride)
        return F.conv2d(maps, kernel, self._weights[f"{name}/bias"], stride)

    def _separated(self, maps: Tensor, name: str) -> Tensor:
        weights = self._weights
        each = weights[f"{name}/depthwise_filter"].permute(2, 3, 0, 1)
        across = weights[f"{name}/pointwise_filter"].permute(3, 2, 0, 1)
        maps = F.conv2d(_padded(maps, 3, 1), each, groups=maps.shape[1])
        return F.conv2d(maps, across, weights[f"{name}/bias"])


def _padded(maps: Tensor, side: int, stride: int) -> Tensor:
    """Pad for a filter so that strides divide the size, more to the right if odd."""
    around: list[int] = []
    for size in (maps.shape[-1], maps.shape[-2]):
        total = max((-(-size // stride) - 1) * stride + side - size, 0)
        around += [total // 2, total - total // 2]
    return F.pad(maps, around)


def _read(folder: Path, name: str) -> dict[str, Tensor]:
    """Return the weights of a manifest, those that are quantised as real numbers."""
    groups = json.loads((folder / f"{name}-weights_manifest.json").read_text())
    content = (folder / f"{name}.bin").read_bytes()
    found = {}
    at = 0
    for entry in (entry for group in groups for entry in group["weights"]):
        shape = tuple(entry["shape"])
        packed = entry.get("quantization")
        kind = np.dtype(packed["dtype"] if packed else entry["dtype"])
        count = int(np.prod(shape))
        values = np.frombuffer(content, kind, count, at).astype(np.float32)
        if packed:
            values = values * np.float32(packed["scale"]) + np.float32(packed["min"])
        found[entry["name"]] = torch.from_numpy(values.reshape(shape))
        at += count * kind.itemsize
    return found
