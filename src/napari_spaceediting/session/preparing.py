"""What a session knows, and the jobs that it prepares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.editing.anchors import surroundings
from napari_spaceediting.editing.answers import Answer, standing
from napari_spaceediting.editing.contradictions import (
    Contradiction,
    find_contradictions,
)
from napari_spaceediting.editing.edits import EditKind, EditState
from napari_spaceediting.editing.evidence import measured_images
from napari_spaceediting.editing.find_axes import FindAxes
from napari_spaceediting.editing.guidance import Guide
from napari_spaceediting.editing.image_edits import ImageEdit, PlacedEdit, Reject
from napari_spaceediting.editing.places import Surroundings
from napari_spaceediting.errors import EditError, SessionError
from napari_spaceediting.network.spec import (
    EMBEDDINGS,
    ClassifierSpec,
    State,
    check_trains,
    seen_size,
    with_usual_layout,
)
from napari_spaceediting.network.suggesting import Suggest
from napari_spaceediting.projection.layout import MapJob
from napari_spaceediting.session.adding import AddImages, checkpoints_of
from napari_spaceediting.session.classes import (
    ClassRow,
    as_known,
    class_rows,
    folded,
    reclassed,
    without_rejected,
)
from napari_spaceediting.session.people import agreements, contradictions_among
from napari_spaceediting.session.state import Checkpoint, Network, SessionState
from napari_spaceediting.session.training import RetrainAndMap, TrainAndMap
from napari_spaceediting.traversal.jobs import Traverse
from napari_spaceediting.traversal.result import Asked
from napari_spaceediting.traversal.sets import choose_sets, classes_of
from napari_spaceediting.traversal.settings import TraverseSettings

NO_PIXELS = (
    "This network sees embeddings and no images, so it cannot say what would change in "
    "an image: train one that sees images."
)


class Preparing:
    """What a session knows, and the long work that it prepares; nothing changes it."""

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._folded: EditState | None = None
        self._shown: Checkpoint | None = None
        self._dataset: ImageDataset | None = None
        self._surroundings: Surroundings | None = None

    @property
    def state(self) -> SessionState:
        """Everything the session knows, as an immutable value."""
        return self._state

    @property
    def dataset(self) -> ImageDataset:
        """The images; those that are rejected neither train nor measure."""
        if self._dataset is None:
            dataset = self._state.dataset
            self._dataset = without_rejected(dataset, self.edits.rejected)
        return self._dataset

    @property
    def shown(self) -> Checkpoint:
        """What the map shows, with its classes as the edits have left them."""
        if self._shown is None:
            self._shown = reclassed(self._state.shown, self.edits)
        return self._shown

    @property
    def edits(self) -> EditState:
        """What the edits add up to, on what the map shows.

        While a round awaits a decision no edit is open: they are in the round.
        """
        if self._folded is None:
            done = () if self._state.proposal else self._state.log.done
            self._folded = folded(done, self._state.shown)
        return self._folded

    @property
    def is_untouched(self) -> bool:
        """Whether nothing has been done yet: no network, no edit, no round."""
        state = self._state
        return not (state.checkpoint.network or state.log.done or state.rounds)

    @property
    def keeps_map(self) -> bool:
        """Whether open edits were made on the present map, and would be lost with it.

        Those of classes stay on any map.
        """
        return any(isinstance(edit, ImageEdit) for edit in self._state.log.done)

    @property
    def surroundings(self) -> Surroundings:
        """Answers what surrounds a place on the map."""
        if self._surroundings is None:
            network = self._network()
            self._surroundings = surroundings(
                self.edits, network.predictions.probabilities, self.dataset.held_out
            )
        return self._surroundings

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Answers to proposals, but for those whose edit was taken back."""
        decided = self.edits.edited | self.shown.confirmed
        return standing(self._state.answers, decided)

    def classes(self) -> tuple[ClassRow, ...]:
        """Return the classes as the edits have left them, in their order."""
        return class_rows(self.edits, self._state.dataset.held_out)

    def rejecting(self, name: str) -> Reject:
        """Return the edit that takes all images of a class out.

        Raises
        ------
        SessionError
            If there is no such class.
        EditError
            If it has no image.
        """
        edits = self.edits
        has_it = edits.labels == self._class(name)
        at = np.flatnonzero(has_it & ~edits.rejected)
        if not len(at):
            raise EditError(
                f"No image is of the class {name}: there is none to reject."
            )
        return Reject(at)

    def held_out_to_name(self) -> NDArray[np.int64]:
        """Return the held-out images without a class, in an order to name them in.

        Where no held-out image has a class, nothing can be measured. The order is
        random, so that those that were named at any time are a fair sample.
        """
        edits, held_out = self.edits, self._state.dataset.held_out
        at = np.flatnonzero(held_out & ~edits.rejected & (edits.labels < 0))
        return np.random.default_rng(self._state.seed).permutation(at)

    def adding(self, path: Path) -> AddImages:
        """Prepare to add images, which go where they belong on the map as it is.

        Parameters
        ----------
        path : Path
            A folder, table or array, as for `OpenDataset`. Labels may name new
            classes. Image files that the session has are passed over.
        """
        state, network = self._state, self._state.shown.network
        return AddImages(
            path,
            state.dataset,
            checkpoints_of(state),
            axes=tuple(kept.axis for kept in state.axes),
            spec=network.spec if network else None,
            weights=network.state if network else None,
            device=state.train.device,
        )

    def suggesting(self) -> Suggest:
        """Prepare to look for a network to begin with."""
        return Suggest(self.dataset, self._state.train)

    def training(self, spec: ClassifierSpec | None = None) -> TrainAndMap:
        """Prepare to train the network on the labels as they are accepted.

        Parameters
        ----------
        spec : ClassifierSpec, optional
            Which network; the size and channels of the images are filled in. By
            default what starts from the embeddings of the data set or, where it has
            none, a small network.

        Raises
        ------
        EditError
            If edits wait that were made on the present map.
        SpaceEditingError
            If more than the head is to train on embeddings.
        """
        self._check_no_edits()
        checkpoint, settings = self._state.checkpoint, self._state.train
        if spec is None:
            given = self.dataset.features is not None
            spec = ClassifierSpec(EMBEDDINGS) if given else ClassifierSpec()
        spec = self._filled_in(spec)
        check_trains(spec, settings.trainable)
        return TrainAndMap(checkpoint.labelled(self.dataset), spec, settings)

    def network_or(
        self,
        backbone: str | None = None,
        weights: str | None = None,
        *,
        mirror: bool = False,
    ) -> tuple[ClassifierSpec, State | None]:
        """Return the network that is shown, or one to begin with.

        Parameters
        ----------
        backbone, weights : str, optional
            Of the one to begin with, as in `ClassifierSpec`.
        mirror : bool
            The same; of no account where there is a network.

        Raises
        ------
        SessionError
            If there is no network and no backbone, or both.
        """
        network = self._state.shown.network
        if network is not None and backbone is None:
            return network.spec, network.state
        if network is not None or backbone is None:
            raise SessionError(
                "The session has a network: leave out the backbone."
                if network is not None
                else "There is no network yet: train one first, or name a backbone."
            )
        spec = ClassifierSpec(backbone, weights, mirror=mirror)
        return self._filled_in(with_usual_layout(spec, "head")), None

    def mapping(self) -> MapJob:
        """Prepare to draw the map of the network that is shown.

        Raises
        ------
        EditError
            If edits wait that say something of places on the present map.
        """
        self._check_no_places()
        drawn = self._state.shown.map
        return MapJob(
            self._network().predictions.latents,
            self._state.map,
            neighbours=None if drawn is None else drawn.neighbours,
        )

    def guiding(self, n_proposals: int = 50) -> Guide:
        """Prepare to rank what is worth looking at next."""
        network, edits = self._network(), self.edits
        return Guide(
            class_names=edits.class_names,
            labels=edits.labels,
            settled=edits.edited | self.shown.confirmed | self.dataset.held_out,
            held_out=self.dataset.held_out,
            predictions=network.predictions,
            margins=network.margins,
            positions=edits.positions,
            n_proposals=n_proposals,
            seed=self._state.seed,
            answers=self.answers,
            soft_labels=edits.soft_labels,
        )

    def contradictions(self) -> list[Contradiction]:
        """Find open edits that say different things of images that look the same.

        First come those of two people on one image.
        """
        drawn = self.shown.map
        if drawn is None:
            return []
        latents = self._network().predictions.latents
        held_out = self.dataset.held_out
        among = contradictions_among(agreements(self._state), self.edits)
        found = find_contradictions(self.edits, latents, drawn.coordinates, held_out)
        return [*among, *found]

    def retraining(self) -> RetrainAndMap:
        """Prepare to retrain with the open edits, and to draw the map after that.

        Raises
        ------
        SessionError
            If there is no network yet.
        EditError
            If there is no open edit to learn from.
        """
        self._check_open()
        self._network()
        if why_not := self.edits.why_no_lesson:
            raise EditError(why_not)
        checkpoint, edits = self._state.checkpoint, self.edits
        check_trains(self._network().spec, self._state.retrain.trainable)
        part, _ = measured_images(self.dataset.split, edits.labels)
        looked = [past.evidence for past in self._state.rounds]
        return RetrainAndMap(
            dataset=self.dataset,
            edits=edits,
            before=checkpoint,
            settings=self._state.retrain,
            map=self._state.map,
            looks=1 + sum(one.measured_on == part.name.lower() for one in looked),
        )

    def finding_axes(self) -> FindAxes:
        """Prepare to find what the arranged images are arranged by.

        Raises
        ------
        EditError
            If no image is arranged.
        """
        network, edits = self._network(), self.edits
        at = np.flatnonzero(edits.kinds == EditKind.ARRANGED)
        if not len(at):
            raise EditError(
                "No image is arranged: move some on the map, and choose “Arrange only”."
            )
        return FindAxes(
            dataset=self.dataset,
            spec=network.spec,
            state=network.state,
            indices=at,
            places=edits.positions[at],
            seed=self._state.seed,
            device=self._state.train.device,
        )

    def kinds(self, images: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the class that images would move away from, -1 where none is known.

        Their label or, where they have none, what the network sees in them.
        """
        guesses = self._network().predictions.probabilities
        return classes_of(images, self.edits.labels, guesses)

    def traversing(
        self,
        images: NDArray[np.int64],
        target: str | NDArray[np.int64],
        settings: TraverseSettings | None = None,
    ) -> Traverse:
        """Prepare to show what would make images those of another kind.

        Parameters
        ----------
        images : (n,) int64 array
            Images to move, as dataset indices.
        target : str or (M,) int64 array
            A class by its name, or a group of images to move to.
        settings : TraverseSettings, optional
            How; seed and device are those of the session.

        Raises
        ------
        SessionError
            If there is no network or map yet, or no such class.
        TraversalError
            If the sets cannot be used.
        """
        edits, network = self.edits, self._network()
        if not network.spec.sees_images:
            raise SessionError(NO_PIXELS)
        group = None if isinstance(target, str) else target
        if isinstance(target, str):
            kind, name = self._class(target), target
        else:
            kind = _usual(self.kinds(target))
            most = f" (mostly {edits.class_names[kind]})" if kind >= 0 else ""
            name = f"group of {len(target):,}{most}"
        sets, classes = choose_sets(
            images,
            kind if group is None else group,
            labels=edits.labels,
            held_out=self.dataset.held_out,
            probabilities=network.predictions.probabilities,
        )
        # What the network says of its way is counted in classes as it knows them.
        names, known = as_known(edits, self._state.shown.class_names, network.spec)
        asked = Asked(known[classes], int(known[kind]), name, names, group)
        return Traverse(
            dataset=self.dataset,
            spec=network.spec,
            state=network.state,
            sets=sets,
            settings=replace(
                settings or TraverseSettings(),
                seed=self._state.seed,
                device=self._state.train.device,
            ),
            asked=asked,
        )

    def _filled_in(self, spec: ClassifierSpec) -> ClassifierSpec:
        in_channels = self.dataset.n_channels
        size = seen_size(spec.backbone, self.dataset.image_size)
        if not spec.sees_images:
            if self.dataset.features is None:
                raise SessionError(
                    f"{self.dataset.name} came without embeddings: choose a backbone."
                )
            in_channels, size = 1, (1, self.dataset.features.shape[1])
        return replace(
            spec,
            n_classes=len(self._state.checkpoint.class_names),
            in_channels=in_channels,
            image_size=size,
        )

    def _check_open(self) -> None:
        if self._state.proposal:
            raise EditError(
                "A retraining awaits your decision: accept it or roll it back first."
            )

    def _check_no_edits(self) -> None:
        """Refuse what would lose edits."""
        self._check_open()
        if self.keeps_map:
            raise EditError(
                "Edits made on the present map would be lost: retrain with them, or "
                "take them back first."
            )

    def _check_no_places(self) -> None:
        """Refuse what would lose places; what is said of images alone stays."""
        self._check_open()
        if any(isinstance(edit, PlacedEdit) for edit in self._state.log.done):
            raise EditError(
                "The places of images that were moved or pinned would be lost: retrain "
                "with them, or take them back first."
            )

    def _class(self, name: str) -> int:
        names = self.edits.class_names
        if name not in names:
            raise SessionError(
                f'There is no class "{name}": choose one of {", ".join(names)}.'
            )
        return names.index(name)

    def _network(self) -> Network:
        if self.shown.network is None:
            raise SessionError("There is no network yet: train one first.")
        return self.shown.network


def _usual(kinds: NDArray[np.int64]) -> int:
    """Return the class that more than half of some images have, -1 if there is none."""
    counts = np.bincount(kinds[kinds >= 0], minlength=1)
    most = int(counts.argmax())
    return most if counts[most] > len(kinds) / 2 else -1
