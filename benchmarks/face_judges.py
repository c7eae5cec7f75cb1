"""Judges of faces that no method knows: age, identity, and what stays as it was.

Networks for age and identity come from npm (``@vladmandic/face-api``), and lie in the
folder of data; they were trained on other data than the networks that are traversed.
They may be asked about the reported faces only once the methods stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor
from torch.nn import functional as F

from face_networks import AgeNetwork, IdentityNetwork

Images = NDArray[np.float32]

YEARS = 20.0
"""By how much the judge of age must have moved for a face to be there."""
HEAD_CENTRE, HEAD_AXES = (0.46, 0.5), (0.35, 0.26)
"""Of the ellipse that LFW's crop has the head in: down and right, in sides."""
_CENTRE, _SHARE = 0.55, 0.5
"""Of the square that the judges see: from the top, and its side, in sides. By it they
tell the ages and persons of the real faces best."""
_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class FaceFigures:
    """What the judges say of n faces on their way; step 0 is the original.

    Parameters
    ----------
    age : (n, 1 + steps) float array
        In years.
    own : (n, 1 + steps) bool array
        Whether the most alike of all known faces is the face's own original.
    distance : (n, 1 + steps) float array
        Of the face to its original by the judge of identity.
    background : (n, 1 + steps) float array
        Mean absolute change outside the head; images are in [0, 1].
    ssim : (n, 1 + steps) float array
        Structural similarity to the original (Wang et al. 2004).
    sharpness : (n, 1 + steps) float array
        Mean slope of the brightness over that of the original.
    older : bool
        Whether the faces shall look older, else younger.
    """

    age: NDArray[np.float64]
    own: NDArray[np.bool_]
    distance: NDArray[np.float64]
    background: NDArray[np.float64]
    ssim: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    older: bool

    @property
    def there(self) -> NDArray[np.int64]:
        """First step at which the judge of age has moved by `YEARS`, (n,), else -1."""
        moved = self.age - self.age[:, :1]
        far = (moved if self.older else -moved) >= YEARS
        return np.where(far.any(axis=1), far.argmax(axis=1), -1)

    @property
    def shown(self) -> NDArray[np.int64]:
        """That step, else the last, (n,)."""
        there = self.there
        return np.where(there >= 0, there, self.age.shape[1] - 1)

    def by_step(self) -> dict[str, list[float]]:
        """Return the means of all faces at each step."""
        return {
            name: value.mean(axis=0).tolist()
            for name, value in vars(self).items()
            if isinstance(value, np.ndarray)
        }

    def by_face(self) -> list[dict[str, float]]:
        """Return the figures of each face where it is there, else at its last step."""
        last = self.age.shape[1] - 1
        found = []
        for face, (there, step) in enumerate(zip(self.there, self.shown, strict=True)):
            at = face, step
            found.append(
                {
                    "there": float(there >= 0),
                    "step": float(step),
                    "age before": float(self.age[face, 0]),
                    "age": float(self.age[at]),
                    "age at the end": float(self.age[face, last]),
                    "own": float(self.own[at]),
                    "distance": float(self.distance[at]),
                    "background": float(self.background[at]),
                    "SSIM": float(self.ssim[at]),
                    "sharpness": float(self.sharpness[at]),
                }
            )
        return found


class FaceJury:
    """The judges, and the faces among which an original must be found again.

    Parameters
    ----------
    data : Path
        With the networks in ``weights/faceapi``.
    gallery : (N, 3, H, W) float32 array
        All known faces in [0, 1], the originals among them.
    """

    def __init__(self, data: Path, gallery: Images) -> None:
        self._age = AgeNetwork(data / "weights" / "faceapi")
        self._identity = IdentityNetwork(data / "weights" / "faceapi")
        self._gallery = self.describe(gallery)

    def years(self, faces: Images) -> NDArray[np.float64]:
        """Return the age of faces (n, 3, H, W), in years."""
        return self._ask(self._age, faces)[:, 0]

    def describe(self, faces: Images) -> NDArray[np.float64]:
        """Return what the judge of identity sees in faces (n, 3, H, W), (n, 128)."""
        return self._ask(self._identity, faces)

    def judge(self, originals: Images, images: Images, *, older: bool) -> FaceFigures:
        """Judge faces on their way.

        Parameters
        ----------
        originals : (n, 3, H, W) float32 array
            Faces of the gallery.
        images : (n, 1 + steps, 3, H, W) float32 array
            What was made of them, the first the original.
        older : bool
            Which way they shall go.
        """
        n, steps = images.shape[:2]
        flat = images.reshape(-1, *images.shape[2:])
        begun = self.describe(originals)
        own = _distances(begun, self._gallery).argmin(axis=1)
        seen = self.describe(flat)
        nearest = _distances(seen, self._gallery).argmin(axis=1).reshape(n, steps)
        far = np.linalg.norm(seen.reshape(n, steps, -1) - begun[:, None], axis=2)
        outside = ~head(images.shape[3:])
        change = np.abs(images - originals[:, None])
        slopes = _slope(images)
        return FaceFigures(
            age=self.years(flat).reshape(n, steps),
            own=nearest == own[:, None],
            distance=far,
            background=change[..., outside].mean(axis=(2, 3), dtype=np.float64),
            ssim=np.array(
                [
                    [_similarity(start, image) for image in path]
                    for start, path in zip(originals, images, strict=True)
                ]
            ),
            sharpness=slopes / _slope(originals)[:, None],
            older=older,
        )

    def _ask(
        self, network: AgeNetwork | IdentityNetwork, faces: Images
    ) -> NDArray[np.float64]:
        found = []
        with torch.inference_mode():
            for start in range(0, len(faces), _AT_ONCE):
                some = torch.from_numpy(faces[start : start + _AT_ONCE])
                crop = _cropped(some, network.side)
                found.append(network(255 * crop).double().numpy())
        return np.concatenate(found)


def head(size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which pixels (H, W) are within the ellipse of the head."""
    down, right = (
        ((np.arange(side) + 0.5) / side - centre) / axis
        for side, centre, axis in zip(size, HEAD_CENTRE, HEAD_AXES, strict=True)
    )
    inside: NDArray[np.bool_] = down[:, None] ** 2 + right**2 <= 1
    return inside


def _cropped(faces: Tensor, side: int) -> Tensor:
    """Return squares from the middle of square images, brought to a size."""
    whole = faces.shape[-1]
    width = round(_SHARE * whole)
    top, left = round(_CENTRE * whole - width / 2), (whole - width) // 2
    crop = faces[..., top : top + width, left : left + width]
    return F.interpolate(
        crop, size=(side, side), mode="bilinear", antialias=True, align_corners=False
    ).clamp(0, 1)


def _distances(
    some: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    far: NDArray[np.float64] = np.linalg.norm(some[:, None] - others, axis=2)
    return far


def _similarity(one: Images, other: Images) -> float:
    return float(structural_similarity(one, other, channel_axis=0, data_range=1.0))


def _slope(images: Images) -> NDArray[np.float64]:
    """Return the mean length of the slope of the brightness of (..., C, H, W)."""
    grey = images.mean(axis=-3, dtype=np.float64)
    down, right = np.gradient(grey, axis=(-2, -1))
    slope: NDArray[np.float64] = np.hypot(down, right).mean(axis=(-2, -1))
    return slope
