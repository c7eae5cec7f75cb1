"""Rendered heads that turn: a sample whose structure is continuous.

Heads are ellipsoids seen in parallel projection. Every ray meets an ellipsoid in
closed form, so that all rays of an image are drawn at once with array arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.data.splits import Split
from napari_spaceediting.data.steps import Steps
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import Progress

YAW_LIMIT, PITCH_LIMIT = 75.0, 30.0
"""Largest turn to either side, and up or down, in degrees."""

YAW_EDGES = (-25.0, 25.0)
"""Yaw, in degrees, that separates left, front and right."""

_FINE = 2  # rays per pixel and axis, averaged
_BLOCK = 32  # images that draw their random numbers together

Array: TypeAlias = NDArray[np.float32]

# Centres and radii of what all people share, in half heights of the image; those
# of nose and ears are shares of the head.
_SHOULDERS = np.array([0, -1.38, -0.25], np.float32)
_SHOULDERS_RADII = np.array([0.92, 0.55, 0.40], np.float32)
_NECK = np.array([0, -0.72, -0.12], np.float32)
_NECK_RADII = np.array([0.23, 0.45, 0.22], np.float32)
_NOSE = np.array([0, -0.10, 0.93], np.float32)
_EARS = np.array([[-1, -0.03, -0.12], [1, -0.03, -0.12]], np.float32)
_EAR_RADII = np.array([0.06, 0.13, 0.09], np.float32)

# Colours are linear mixes of these, so that identities differ but look natural.
_SKIN = np.array([[0.96, 0.80, 0.69], [0.80, 0.58, 0.42], [0.42, 0.27, 0.19]])
_HAIR = np.array(
    [
        [0.10, 0.08, 0.07],
        [0.33, 0.20, 0.11],
        [0.83, 0.66, 0.36],
        [0.58, 0.22, 0.10],
        [0.70, 0.70, 0.72],
    ]
)
_EYES = np.array([[0.16, 0.09, 0.05], [0.13, 0.28, 0.47], [0.18, 0.34, 0.18]])
_BLUSH = np.array([1.0, 0.90, 0.88], np.float32)
_LIPS = np.array([0.80, 0.42, 0.42], np.float32)


@dataclass(frozen=True)
class _Person:
    """What stays the same in all images of a person.

    Lengths are in half heights of the image; x points right, y up, and z towards
    the viewer, in the frame of the head.
    """

    head: Array  # (3,) radii
    skin: Array  # (3,)
    hair: Array  # (3,)
    eyes: Array  # (3,)
    hairline: np.float32  # height of the hair above the forehead, share of the head
    nape: np.float32  # how far down the hair falls, share of the head
    volume: np.float32  # thickness of the hair
    nose: Array  # (3,) radii
    gap: np.float32  # half distance of the eyes, share of the head


def render_poses(
    n: int = 1500, identities: int = 12, size: int = 32, seed: int = 0
) -> Steps:
    """Draw heads of several people, turned at random.

    Parameters
    ----------
    n : int
        Number of images.
    identities : int
        Number of people, at least 3: about a quarter of them is the test part, and
        one or two are for validation, so that evidence is about people never seen.
    size : int
        Height and width in pixels.
    seed : int
        The same seed draws the same images.

    Returns
    -------
    ImageDataset
        (size, size, 3) uint8 images of the classes `left`, `front` and `right`
        (where the face is turned to, as seen by the viewer), with the columns `yaw`
        and `pitch` in degrees (positive is right and up), `identity` and `truth`.

    Raises
    ------
    DataError
        There are fewer than 3 people, or fewer images than people.
    """
    if identities < 3 or n < identities:
        raise DataError(
            f"{n} images of {identities} people cannot be split by person: ask for at "
            f"least 3 people, and an image of each."
        )
    rng = np.random.default_rng(seed)
    people = _people(identities, rng)
    person = rng.permutation(np.arange(n) % identities)
    yaw = rng.uniform(-YAW_LIMIT, YAW_LIMIT, n)
    pitch = rng.uniform(-PITCH_LIMIT, PITCH_LIMIT, n)
    images = np.empty((n, size, size, 3), np.uint8)
    for start in range(0, n, _BLOCK):
        at = slice(start, start + _BLOCK)
        turned = [people[who] for who in person[at]]
        images[at] = _draw(turned, _rotation(yaw[at], pitch[at]), size, rng)
        yield Progress(min(start + _BLOCK, n), n, "Drawing heads")

    shuffled = rng.permutation(identities)
    n_test = max(1, round(identities / 4))
    n_validation = 1 if identities < 10 else 2
    part = np.full(identities, Split.TRAIN, np.int8)
    part[shuffled[:n_test]] = Split.TEST
    part[shuffled[n_test : n_test + n_validation]] = Split.VALIDATION
    labels = np.digitize(yaw, YAW_EDGES).astype(np.int64)
    return ImageDataset(
        name="Poses",
        ids=np.array([f"head-{index:04d}" for index in range(n)]),
        labels=labels,
        class_names=("left", "front", "right"),
        split=part[person],
        pixels=ArrayPixels(images),
        scaling=IntensityScaling("dtype"),
        image_size=(size, size),
        columns={"truth": labels, "yaw": yaw, "pitch": pitch, "identity": person},
    )


def _people(count: int, rng: np.random.Generator) -> list[_Person]:
    """Draw people at random."""

    def between(low: float, high: float) -> Array:
        return rng.uniform(low, high, count).astype(np.float32)

    def mixed(colours: NDArray[np.float64], sharpness: float) -> Array:
        weights = rng.dirichlet(np.full(len(colours), 1 / sharpness), count)
        return (weights @ colours).astype(np.float32)

    width = between(0.47, 0.57)
    heads = np.stack([width, between(0.60, 0.72), width * between(1.0, 1.2)], axis=-1)
    looks = mixed(_SKIN, 4.0), mixed(_HAIR, 12.0), mixed(_EYES, 8.0)
    lengths = between(0.38, 0.62), between(-1.1, 0.05), between(1.06, 1.17)
    noses = np.stack(
        [between(0.06, 0.10), between(0.11, 0.17), between(0.11, 0.19)], axis=-1
    )
    gaps = between(0.36, 0.46)
    return list(map(_Person, heads, *looks, *lengths, noses, gaps))


def _draw(
    people: list[_Person], turns: Array, size: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw each of the people, turned by `turns`, as (n, size, size, 3) uint8."""
    n = len(people)
    x, y = _rays(n, size * _FINE, rng)
    canvases = list(map(_Canvas, x, y, _background(x, y, rng), _light(n, rng)))
    cloths = rng.uniform(0.1, 0.9, (n, 3)).astype(np.float32)
    still = np.eye(3, dtype=np.float32)
    middle = np.zeros(3, np.float32)
    for person, turn, canvas, cloth in zip(
        people, turns, canvases, cloths, strict=True
    ):
        skin, head = person.skin, person.head
        # Shoulders and neck stay where they are when the head turns.
        canvas.add(still, _SHOULDERS, _SHOULDERS_RADII, cloth)
        canvas.add(still, _NECK, _NECK_RADII, 0.9 * skin)
        canvas.add(turn, middle, head, partial(_face, person))
        canvas.add(turn, head * _NOSE, person.nose, 0.97 * skin)
        for ear in _EARS:
            canvas.add(turn, head * ear, _EAR_RADII, 0.93 * skin)
        hair = partial(_locks, person)
        canvas.add(turn, middle, head * person.volume, hair, partial(_is_hair, person))

    fine = np.stack([canvas.colour for canvas in canvases])
    image = fine.reshape(n, size, _FINE, size, _FINE, 3).mean(axis=(2, 4))
    image += rng.normal(0, 0.02, image.shape).astype(np.float32)
    drawn: NDArray[np.uint8] = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return drawn


class _Canvas:
    """An image on which the nearest surface wins."""

    def __init__(self, x: Array, y: Array, colour: Array, light: Array) -> None:
        self.x, self.y = x, y  # (pixels,), where each ray crosses the picture
        self.colour = colour  # (pixels, 3), the background, painted over in place
        self.light = light  # (3,), unit direction in the viewer's frame
        self.depth = np.full(x.shape, -np.inf, np.float32)

    def add(
        self,
        turn: Array,
        centre: Array,
        radii: Array,
        paint: Array | Callable[[Array], Array],
        covers: Callable[[Array], NDArray[np.bool_]] | None = None,
    ) -> None:
        """Add an ellipsoid, whose frame has the viewer's axes as the rows of `turn`.

        It has one colour, or each point (k, 3) of the unit sphere has its own; `covers`
        tells in the same way where there is a surface.
        """
        # In units of the radii a ray is x u + y v + t d - m, on a unit sphere:
        # a t^2 + 2 b t + c = 0.
        u, v, d = turn / radii
        m = centre / radii
        x, y = self.x, self.y
        a = d @ d
        b = x * (u @ d) + y * (v @ d) - m @ d
        c = (
            x * (x * (u @ u) + 2 * (y * (u @ v) - u @ m))
            + y * (y * (v @ v) - 2 * (v @ m))
            + (m @ m - 1)
        )
        with np.errstate(invalid="ignore"):  # NaN where a ray misses
            t = (np.sqrt(b * b - a * c) - b) / a
            ray = np.flatnonzero(t > self.depth)
        at = np.outer(x[ray], u) + np.outer(y[ray], v) + np.outer(t[ray], d) - m
        if covers is not None:
            seen = covers(at)
            ray, at = ray[seen], at[seen]
        normal = at / radii
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        shade = 0.38 + 0.66 * np.clip(normal @ (self.light @ turn), 0, None)
        colour = paint(at) if callable(paint) else paint
        self.colour[ray] = colour * shade[:, None]
        self.depth[ray] = t[ray]


def _rotation(yaw: NDArray[np.float64], pitch: NDArray[np.float64]) -> Array:
    """Return (n, 3, 3) matrices whose rows are the viewer's axes in the head.

    A head turned by `yaw` and `pitch`, in degrees, looks along (sin yaw cos pitch,
    sin pitch, cos yaw cos pitch) in the frame of the viewer.
    """
    yaw, pitch = np.radians(yaw), np.radians(pitch)
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    zero = np.zeros_like(cy)
    rows = [[cy, -sy * sp, sy * cp], [zero, cp, sp], [-sy, -cy * sp, cy * cp]]
    return np.moveaxis(np.array(rows, dtype=np.float32), -1, 0)


def _rays(n: int, fine: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return x and y of all rays, (n, fine * fine): slightly shifted and scaled."""
    axis = (np.arange(fine) + 0.5) / fine * 2 - 1
    grid_y, grid_x = np.meshgrid(-axis, axis, indexing="ij")
    scale = rng.uniform(0.97, 1.10, (n, 1))
    shift = rng.uniform(-0.06, 0.06, (2, n, 1))
    x = grid_x.ravel() * scale + shift[0]
    y = grid_y.ravel() * scale + shift[1] - 0.08
    return x.astype(np.float32), y.astype(np.float32)


def _light(n: int, rng: np.random.Generator) -> Array:
    """Return (n, 3) directions to the light: from above, in front."""
    light = np.stack(
        [rng.uniform(-0.6, 0.6, n), rng.uniform(0.2, 0.8, n), np.ones(n)], axis=-1
    )
    light /= np.linalg.norm(light, axis=-1, keepdims=True)
    return light.astype(np.float32)


def _background(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Return (n, pixels, 3): a quiet colour that fades downwards, with soft waves."""
    n = len(x)
    grey = rng.uniform(0.2, 0.85, (n, 1, 1))
    tone = grey + rng.uniform(-0.14, 0.14, (n, 1, 3))
    along, across, shift = rng.uniform(-3, 3, (3, n, 1))
    brightness = 1 + 0.12 * y + 0.10 * np.sin(along * x + across * y + shift)
    return np.asarray(tone * brightness[..., None], np.float32)


def _face(person: _Person, at: Array) -> Array:
    """Return the colour of the face, (k, 3), at points (k, 3) of the unit sphere."""
    x, y, z = at.T
    side = np.abs(x) - person.gap
    colour = np.tile(person.skin, (len(at), 1))

    def spot(across: Array, up: Array, width: float, height: float) -> NDArray[Any]:
        inside = (across / width) ** 2 + (up / height) ** 2 < 1
        return np.asarray(inside & (z > 0))

    colour[spot(side, y + 0.28, 0.20, 0.15)] *= _BLUSH
    colour[spot(x, y + 0.52, 0.26, 0.065)] *= _LIPS
    colour[spot(side, y - 0.32, 0.19, 0.05)] *= np.float32(0.45)  # brows
    colour[spot(side, y - 0.12, 0.17, 0.10)] = 0.95  # whites of the eyes
    colour[spot(side, y - 0.12, 0.09, 0.10)] = person.eyes
    return colour


def _locks(person: _Person, at: Array) -> Array:
    """Return the colour of the hair, as `_face`."""
    strands = 1 + np.float32(0.1) * np.sin(24 * at[:, 0] + 9 * at[:, 2])
    return np.outer(strands, person.hair)


def _is_hair(person: _Person, at: Array) -> NDArray[np.bool_]:
    """Tell where hair covers points (k, 3) of the unit sphere."""
    # The lower edge falls from the hairline in front, past the temples, to the nape.
    back = np.clip((0.45 - at[:, 2]) / 0.75, 0, 1)
    fall = back * back * (3 - 2 * back)
    covered: NDArray[np.bool_] = (
        at[:, 1] > person.hairline + (person.nape - person.hairline) * fall
    )
    return covered
