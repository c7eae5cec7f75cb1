"""The network in a file, for programs that know nothing of this one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting import __version__
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.meaning import with_channels
from napari_spaceediting.data.writing import write_file
from napari_spaceediting.editing.calibration import NONE_OF_THESE
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.session.export.certainty import HeldOut, held_out_of, knowing
from napari_spaceediting.session.export.tables import Exported, writing
from napari_spaceediting.session.preparing import Preparing
from napari_spaceediting.session.state import Network

if TYPE_CHECKING:
    from napari_spaceediting.network.exporting import FromPixels

ENDINGS = ".pt2", ".onnx"
_LOOKED_AT = 100
"""Images at most that tell the type of the intensities."""
_TRIED = 8
"""Images at most that the file is tried on."""
_CLOSE = 1e-4
_UNTRIED = " It was not tried out: that takes onnxruntime."

Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]
Run = Callable[[NDArray[np.float32]], Outputs]


@dataclass(frozen=True, eq=False)
class ExportNetwork:
    """Job: write a network with its preprocessing, and try it on some images.

    Parameters
    ----------
    class_names : tuple of str
        The C classes that it knows.
    dataset : ImageDataset
        The images; they tell how they are scaled.
    held_out : HeldOut
        What the network is calibrated on, which goes into the metadata.
    path : Path
        The file; its ending is one of `ENDINGS`.
    """

    network: Network = field(repr=False)
    class_names: tuple[str, ...]
    dataset: ImageDataset = field(repr=False)
    held_out: HeldOut = field(repr=False)
    path: Path
    name: ClassVar[str] = "Export the network"

    def run(self) -> Generator[Progress, None, Exported]:
        """Write it.

        Raises
        ------
        SpaceEditingError
            If it cannot be written, or does not compute what the session's does: then
            there is no file.
        """
        from napari_spaceediting.network.classifier import classifier_from
        from napari_spaceediting.network.exporting import WRITERS, FromPixels

        path, ending = self.path, self.path.suffix.lower()
        yield Progress(0, 3, "Putting the network together")
        types = self._types()
        largest = _largest(types)
        classifier = classifier_from(self.network.spec, self.network.state)
        whole = FromPixels(
            classifier, self.dataset.scaling, largest, self.dataset.image_size
        ).eval()
        metadata = self._metadata(types, largest)
        yield Progress(1, 3, "Writing it down as a graph")
        with TemporaryDirectory() as folder:
            unfinished = Path(folder) / f"network{ending}"
            with unfinished.open("wb") as file:
                WRITERS[ending](whole, metadata, file)
            yield Progress(2, 3, "Trying it out")
            tried = self._try(unfinished, whole, largest)
            with writing(path), unfinished.open("rb") as made:
                write_file(path, lambda file: shutil.copyfileobj(made, file))
        return Exported(path, f"Wrote the network to {path}.{tried}")

    def _types(self) -> list[str]:
        """Return the types of the intensities of the images."""
        n_images = len(self.dataset)
        some = np.linspace(0, n_images - 1, min(n_images, _LOOKED_AT), dtype=int)
        return sorted({str(self.dataset.original(at).dtype) for at in some.tolist()})

    def _metadata(self, types: list[str], largest: float) -> dict[str, Any]:
        dataset, spec = self.dataset, self.network.spec
        made = self.held_out.certainty().calibration
        by_type = dataset.scaling.mode == "dtype"
        is_open = by_type and largest == 1 and any("int" in kind for kind in types)
        return {
            "made_by": f"napari-spaceediting {__version__}",
            "class_names": list(self.class_names),
            "input": {
                "name": "pixels",
                "layout": "images, channels, height, width",
                "type": "float32",
                "channels": dataset.n_channels,
                "intensities": "divided by the largest value of their type"
                if is_open
                else "as they are in the files",
                "types_of_the_files": types,
                "scaling": {**asdict(dataset.scaling), "largest": largest},
                "brought_to": list(dataset.image_size),
            },
            "outputs": {
                "latents": int(self.network.predictions.latents.shape[1]),
                "probabilities": len(self.class_names),
            },
            "backbone": spec.backbone,
            "mirror": spec.mirror,
            "calibration": {"none_of_these": NONE_OF_THESE, **asdict(made)},
        }

    def _try(self, path: Path, whole: FromPixels, largest: float) -> str:
        """Compare what the file computes with what the session does, in a sentence."""
        run = _runner(path)
        if run is None:
            return _UNTRIED
        import torch

        dataset = self.dataset
        some = np.linspace(0, len(dataset) - 1, min(len(dataset), _TRIED), dtype=int)
        worst = 0.0
        for at in np.unique(some).tolist():
            raw = with_channels(dataset.original(at), dataset.n_channels)
            if dataset.scaling.mode == "dtype" and largest == 1:
                raw = dataset.scaling.apply(raw)
            pixels = np.moveaxis(raw.astype(np.float32), -1, 0)[None]
            found = run(np.ascontiguousarray(pixels))
            with torch.inference_mode():
                latents, logits = whole.classifier(
                    torch.from_numpy(dataset.images([at]))
                )
            wanted = latents.numpy(), logits.softmax(dim=1).numpy()
            for one, other in zip(found, wanted, strict=True):
                worst = max(worst, float(np.abs(one - other).max(initial=0)))
        if not worst <= _CLOSE:
            raise SessionError(
                f"What was written does not compute what the session does (it differs "
                f"by {worst:.2g}), so there is no file: export another kind of it."
            )
        return f" It was tried on {len(np.unique(some))} images and computes the same."


def exporting_network(session: Preparing, path: Path) -> ExportNetwork:
    """Prepare to export the network that a session shows.

    Classes that were renamed or put in order since it was trained have their present
    names, in the order of its outputs.

    Parameters
    ----------
    path : Path
        The file; its ending is one of `ENDINGS`.

    Raises
    ------
    SessionError
        If there is no network that knows a class, or a file cannot say what the window
        shows.
    """
    network, dataset = knowing(session), session.state.dataset
    if not network.spec.sees_images:
        raise SessionError(
            "This network sees embeddings and no images, and the file of a network "
            "takes images: train one that sees images."
        )
    places = session.edits.places[: network.spec.n_classes]
    if (places < 0).any() or len(np.unique(places)) < len(places):
        raise SessionError(
            "Classes were merged or deleted that the network still tells apart: "
            "retrain first."
        )
    if dataset.scaling.others:
        raise SessionError(
            "The images are of several types, each of which is stretched by itself, "
            "and the file of a network knows one: train on images of one type."
        )
    names = tuple(session.edits.class_names[at] for at in places.tolist())
    return ExportNetwork(network, names, dataset, held_out_of(session), path)


def _largest(types: list[str]) -> float:
    """Return the largest value of a type of integers; else, or of several, 1."""
    kinds = {np.dtype(kind) for kind in types}
    if len(kinds) == 1 and (kind := kinds.pop()).kind in "iu":
        return float(np.iinfo(kind).max)
    return 1.0


def _runner(path: Path) -> Run | None:
    """Return what runs a file, None where the library for it is missing."""
    if path.suffix == ".pt2":
        import torch

        with path.open("rb") as file:
            module = torch.export.load(file).module()

        def run(pixels: NDArray[np.float32]) -> Outputs:
            with torch.inference_mode():
                latents, probabilities = module(torch.from_numpy(pixels))
            return latents.numpy(), probabilities.numpy()

        return run
    try:
        import onnxruntime
    except ImportError:
        return None
    model = onnxruntime.InferenceSession(str(path))
    return lambda pixels: tuple(model.run(None, {"pixels": pixels}))
