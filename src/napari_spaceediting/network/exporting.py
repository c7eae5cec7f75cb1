"""A network with all that comes before it, for programs that know nothing of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

import torch
from torch import Tensor, nn

from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.errors import SpaceEditingError, reason_of
from napari_spaceediting.network.classifier import LatentClassifier

INPUT, OUTPUTS = "pixels", ("latents", "probabilities")
METADATA = "metadata.json"
"""Name of the metadata in a `.pt2` file."""
_OPSET = 18


class FromPixels(nn.Module):
    """Latents and probabilities of images as they are in their files.

    Parameters
    ----------
    classifier : LatentClassifier
        On the processor, in evaluation mode.
    largest : float
        By which intensities are divided where the scaling is by their type.
    size : tuple of int
        Height and width that images are brought to, as by `data.resize.fit`.
    """

    low: Tensor
    gain: Tensor

    def __init__(
        self,
        classifier: LatentClassifier,
        scaling: IntensityScaling,
        largest: float,
        size: tuple[int, int],
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.size = size
        low = torch.tensor(scaling.low or (0.0,), dtype=torch.float64)
        high = torch.tensor(scaling.high or (largest,), dtype=torch.float64)
        self.register_buffer("low", low.view(-1, 1, 1).float())
        self.register_buffer("gain", (1 / (high - low)).view(-1, 1, 1).float())

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return latents (n, D) and probabilities (n, C) of (n, channels, H, W)."""
        scaled = ((pixels - self.low) * self.gain).clamp(0, 1)
        latents, logits = self.classifier(self._fitted(scaled))
        return latents, logits.softmax(dim=1)

    def _fitted(self, images: Tensor) -> Tensor:
        """Resize images of any size, their aspect ratio kept, over black."""
        # As tensors, so that the size stays open in what is exported.
        sides = [torch.arange(n, dtype=torch.float64) for n in images.shape[2:]]
        counts = [torch.ones_like(side).sum() for side in sides]
        # A number over a tensor would be rounded otherwise than in `fit`.
        height, width = (torch.full((), n, dtype=torch.float64) for n in self.size)
        scale = torch.minimum(height / counts[0], width / counts[1])
        rows, columns = (
            _interpolation(side, count, scale, n)
            for side, count, n in zip(sides, counts, self.size, strict=True)
        )
        return rows @ images @ columns.T


def _interpolation(side: Tensor, count: Tensor, scale: Tensor, n_out: int) -> Tensor:
    """Return the (n_out, n) matrix of `data.resize`, with zeros for the padding."""
    inner = torch.round(count * scale).clamp(1, n_out)
    start = torch.floor((n_out - inner) / 2)
    at = torch.arange(n_out, dtype=torch.float64) - start
    step = count / inner
    centres = ((at + 0.5) * step - 0.5).clamp(min=0)
    centres = torch.minimum(centres, count - 1)
    distance = (side[None, :] - centres[:, None]).abs()
    weights = (1 - distance / step.clamp(min=1)).clamp(min=0)
    weights = weights / weights.sum(dim=1, keepdim=True)
    inside = (at >= 0) & (at < inner)
    return (weights * inside[:, None]).float()


def write_pt2(
    network: FromPixels, metadata: Mapping[str, Any], file: IO[bytes]
) -> None:
    """Write a network for `torch.export.load`, with its metadata as an extra file.

    Raises
    ------
    SpaceEditingError
        If it cannot be written down as a graph.
    """
    program = _program(network)
    torch.export.save(
        program, file, extra_files={METADATA: json.dumps(metadata, indent=2)}
    )


def write_onnx(
    network: FromPixels, metadata: Mapping[str, Any], file: IO[bytes]
) -> None:
    """Write a network as ONNX, its metadata as properties of the model.

    Raises
    ------
    SpaceEditingError
        If the libraries for it are missing, or it cannot be written down as a graph.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise SpaceEditingError(
            "An .onnx file needs onnx and onnxscript: install them with "
            '`pip install "napari-spaceediting[onnx]"`, or export a .pt2 file.'
        ) from error
    try:
        made = torch.onnx.export(
            _program(network),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamo=True,
            opset_version=_OPSET,
            verbose=False,
        )
    except SpaceEditingError:
        raise
    except Exception as error:
        raise _unwritten(network, error) from error
    assert made is not None
    model = made.model_proto
    for name, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key = name
        entry.value = value if isinstance(value, str) else json.dumps(value)
    file.write(model.SerializeToString())


def _program(network: FromPixels) -> torch.export.ExportedProgram:
    """Write a network down as a graph, for any number of images of any size."""
    spec = network.classifier.spec
    height, width = network.size
    example = torch.zeros(2, spec.in_channels, height + 3, width + 5)
    dynamic = {
        0: torch.export.Dim("n"),
        2: torch.export.Dim("height"),
        3: torch.export.Dim("width"),
    }
    try:
        return torch.export.export(network, (example,), dynamic_shapes={INPUT: dynamic})
    except Exception as error:
        raise _unwritten(network, error) from error


def _unwritten(network: FromPixels, error: Exception) -> SpaceEditingError:
    return SpaceEditingError(
        f"The network {network.classifier.spec.backbone} cannot be written down as a "
        f"graph ({reason_of(error)}): it must compute the same steps for every image."
    )


WRITERS = {".pt2": write_pt2, ".onnx": write_onnx}
"""What writes a network, by the ending of its file."""
