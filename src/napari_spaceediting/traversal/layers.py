"""The layers of a network that can make the features of a traversal, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """A layer of a backbone.

    Parameters
    ----------
    name : str
        Of its module in the backbone.
    shape : tuple of int
        Of its output for one image: such as (maps, height, width).
    is_image : bool
        Whether that is still the image, made ready for the network.
    is_default : bool
        Whether it is used where none is chosen.
    """

    name: str
    shape: tuple[int, ...]
    is_image: bool = False
    is_default: bool = False

    def describe(self) -> str:
        """Return such as "16 maps of 14 × 14 px"."""
        if len(self.shape) != 3:
            return f"{' × '.join(f'{size:,}' for size in self.shape)} values"
        count, height, width = self.shape
        if self.is_image:
            return f"The image, {height} × {width} px"
        maps = "1 map" if count == 1 else f"{count:,} maps"
        return f"{maps} of {height} × {width} px"


def in_words(layers: Sequence[Layer]) -> list[str]:
    """Describe layers; those that would sound alike are numbered.

    Returns
    -------
    list of str
        Such as "512 maps of 8 × 8 px, 2 of 4".
    """
    words = [layer.describe() for layer in layers]
    total, seen = Counter(words), Counter[str]()
    for at, text in enumerate(words):
        seen[text] += 1
        if total[text] > 1:
            words[at] = f"{text}, {seen[text]} of {total[text]}"
    return words
