"""Latents and class probabilities of images."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch

from napari_spaceediting.data.cache import cache_dir
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.memory import room
from napari_spaceediting.network.activations import FrozenUpTo, activations
from napari_spaceediting.network.classifier import LatentClassifier
from napari_spaceediting.network.device import pick_device, torch_errors_in_words
from napari_spaceediting.network.processes import processes
from napari_spaceediting.network.spec import Predictions


def predict(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    *,
    frozen_up_to: FrozenUpTo = "head",
    device: str = "auto",
    batch_size: int = 256,
) -> Generator[Progress, None, Predictions]:
    """Compute latents and probabilities of all images of a data set, in its order.

    Parameters
    ----------
    classifier : LatentClassifier
        Moved to the device and put into evaluation mode.
    dataset : ImageDataset
        N images.
    frozen_up_to : {"head", "last_block"}
        Which cached activations to go by, see `activations`; the result is the same.
        "last_block" saves reading the images after a training of the last block.

    Raises
    ------
    TrainingFailed
        If torch cannot run the network.
    DataError
        If an image cannot be read.
    """
    classifier.eval()
    inputs = yield from activations(
        classifier,
        dataset,
        frozen_up_to,
        device=device,
        batch_size=batch_size,
    )
    target = pick_device(device)
    tail = classifier.to(target).tail(frozen_up_to).eval()
    spec = classifier.spec
    folder = cache_dir()
    latents = room((len(inputs), classifier.latent_width), np.float32, folder)
    probabilities = np.empty((len(inputs), spec.n_classes), np.float32)
    crew = processes()
    share = crew.share(len(inputs))
    for start in range(share.start, share.stop, batch_size):
        block = slice(start, min(start + batch_size, share.stop))
        with torch_errors_in_words(), torch.inference_mode():
            batch = torch.from_numpy(np.array(inputs[block])).to(target)
            some_latents, logits = tail(batch)
            latents[block] = some_latents.cpu().numpy()
            probabilities[block] = logits.softmax(dim=1).cpu().numpy()
        done = min((block.stop - share.start) * crew.size, len(inputs))
        yield Progress(done, len(inputs), "Predict")
    crew.complete(latents)
    crew.complete(probabilities)
    return Predictions(latents, probabilities)
