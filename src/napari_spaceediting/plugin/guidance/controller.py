"""Guided review: one proposal after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.answers import Answer, ProposalKind, summarise
from napari_spaceediting.editing.arms import BEFORE, CONTROL
from napari_spaceediting.editing.cluster_groups import clusters_to_name
from napari_spaceediting.editing.edits import Withdraw, withdrawn
from napari_spaceediting.editing.guidance import Proposal
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.editing.orders import OneAtATime, Order
from napari_spaceediting.editing.replies import agrees, edit_of_no, edit_of_yes
from napari_spaceediting.plugin.gallery.controller import GalleryController
from napari_spaceediting.plugin.guidance.panel import (
    CLUSTERS,
    EMPTY_TEXT,
    FINISHED_TEXT,
    MIXED,
    NO,
    NOTHING_FOUND_TEXT,
    ORDERS,
    GuidancePanel,
)
from napari_spaceediting.plugin.map.controller import MapController
from napari_spaceediting.plugin.map.naming import ShowChange
from napari_spaceediting.plugin.map.scene import Arrows
from napari_spaceediting.plugin.state import NOTHING, Change, WindowState
from napari_spaceediting.plugin.status import Turn
from napari_spaceediting.session.habits import Way, describe_paces
from napari_spaceediting.session.state import Round, RoundStatus
from napari_spaceediting.wording import counted

_TITLES = {
    ProposalKind.MISLABELLED: "probably mislabelled",
    ProposalKind.GROUP: "a group to name",
    ProposalKind.AMBIGUOUS: "between two classes",
    ProposalKind.DISAGREED: "people disagree",
    ProposalKind.ISOLATED: "like no other image",
}
_SHOWN = 12
_LONGEST = 12
"""Letters of a class in a question that has one line."""
_SIDE = 200
"""Pixels of the side of a picture on the card at most."""
_SINGLES = 200
"""Images at most that are put in order at a time."""
_NO_LABEL = "There is no label that could be right: name it, or go on with Not sure."
_RECENT = 10
"""Answers from which it is told what going on may bring."""
_FEWEST = 3
"""Answers that tell something of the next ones."""


class GuidanceController:
    """Connects guidance with the map and the session.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    panel : GuidancePanel
        The view.
    on_map : MapController
        Shows proposals and applies edits.
    gallery : GalleryController
        Shows all that is proposed.
    show_change : callable
        Shows what would make images those of a class.
    """

    def __init__(
        self,
        window: WindowState,
        panel: GuidancePanel,
        on_map: MapController,
        gallery: GalleryController,
        show_change: ShowChange,
    ) -> None:
        self._window = window
        self._panel = panel
        self._map = on_map
        self._gallery = gallery
        self._show_change = show_change
        self._queue: list[Proposal] = []
        self._order = MIXED
        self._last = ""
        self._at = self._n_found = 0
        self._decided: set[int] = set()
        self._left_out: frozenset[int] = frozenset()
        self._recent: deque[NDArray[np.int64]] = deque(maxlen=_RECENT)
        self._empty_text = EMPTY_TEXT
        panel.refresh_requested.connect(self.find)
        panel.answered.connect(self.answer)
        panel.named.connect(self.name)
        panel.named_as.connect(self.name_as)
        panel.taken_back.connect(self.take_back)
        panel.moved.connect(self._step)
        panel.toggled.connect(self._toggle)
        panel.change_button.clicked.connect(self.show_change)
        window.pictures.arrived.connect(self._on_pictures)
        window.changed.connect(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change & (Change.SESSION | Change.ROUNDS):
            self.clear()
        if change & (Change.SESSION | Change.EDITS | Change.SHOWN | Change.HABITS):
            self._show_words()
        if change & (Change.THEME | Change.PICTURES) and self.proposal is not None:
            self._show_at_hand(self.proposal, select=False)

    @property
    def proposal(self) -> Proposal | None:
        """The proposal at hand."""
        return self._queue[self._at] if self._at < len(self._queue) else None

    def find(self) -> None:
        """Look for what is worth a decision."""
        session, order = self._window.session, self._panel.order
        if session is None or not self._window.has_map:
            return
        found = partial(self._on_found, order=order)
        if order == MIXED:
            self._window.reading.run(session.guiding(), found)
        elif order == CLUSTERS:
            guide = session.guiding()
            self._map.clustering.find(lambda at: found(clusters_to_name(guide, at)))
        else:
            job = OneAtATime(session.guiding(_SINGLES), Order(order))
            self._window.reading.run(job, found)

    def clear(self) -> None:
        """Forget all proposals."""
        self._recent.clear()
        self._empty_text = EMPTY_TEXT
        self._take([], show=False)
        self._show_words()

    def _on_found(self, queue: list[Proposal], order: str = MIXED) -> None:
        self._empty_text = FINISHED_TEXT if queue else NOTHING_FOUND_TEXT
        self._take(queue, order)
        self._panel.take_focus()

    def answer(self, answer: str) -> None:
        """Take the answer to the proposal at hand: yes, no, unsure or elsewhere."""
        proposal = self.proposal
        if proposal is None:
            return
        self._last = ""
        if answer == "elsewhere":
            self._ask(proposal)
        elif answer == "yes" and proposal.tag is None:
            self._panel.name_field.setFocus()
        elif answer == "yes" and self._accept(proposal):
            self._settle(proposal, accepted=True)
        elif answer == "no" and self._keep(proposal):
            self._settle(proposal, accepted=False)
        elif answer == "unsure":
            self._recent.append(NOTHING)
            self._window.answered(self._way(proposal), 0)
            self._put_aside(proposal)
            self._step(1)

    def _put_aside(self, proposal: Proposal) -> None:
        """Let a proposal come again at the end of the list, once."""
        if self._at < self._n_found:
            self._queue.append(proposal)

    def name(self, number: int) -> None:
        """Give the images of the proposal at hand a class, wherever they lie."""
        if self._window.session is not None:
            self.name_as(self._window.session.edits.class_names[number])

    def name_as(self, name: str) -> None:
        """Give the images of the proposal at hand a class, which may be a new one."""
        proposal, session = self.proposal, self._window.session
        if proposal is None or session is None:
            return
        at, names = self._meant(proposal), session.edits.class_names
        same = [known for known in names if known.casefold() == name.casefold()]
        tag = name if name in names or not same else same[0]
        if self._map.naming.apply(Relabel(at, tag)):
            self._last = tag
            self._settle(proposal, accepted=self._agrees(proposal, at))

    def take_back(self) -> None:
        """Undo the last edit, and go back to its proposal."""
        undone = self._map.naming.take_back()
        for at in sorted(self._decided, reverse=True):
            if np.isin(undone, self._queue[at].indices).any():
                self._decided.remove(at)
                self._window.unanswered(self._way(self._queue[at]), len(undone))
                self._step(at - self._at)
                return

    def show_change(self) -> None:
        """Show what separates the two places of the proposal at hand."""
        proposal = self.proposal
        if proposal is not None and (ways := self._separates(proposal)) is not None:
            images, _, target = ways
            self._show_change(images, target)

    def _separates(
        self, proposal: Proposal
    ) -> tuple[NDArray[np.int64], str, str] | None:
        """Return images, what they are and what they might be; None if that is one.

        An image between two classes is taken for the first and might be the second.
        """
        session = self._window.opened
        names, at = session.edits.class_names, proposal.indices
        network = session.shown.network
        assert network is not None
        kinds = session.kinds(at)
        tag = names.index(proposal.tag) if proposal.tag in names else -1
        if proposal.kind is ProposalKind.AMBIGUOUS:
            tag = int(np.argsort(-network.predictions.probabilities[at[0]])[1])
        others = at[(kinds != tag) & (kinds >= 0)]
        if tag < 0 or not len(others):
            return None
        most = np.bincount(session.kinds(others)).argmax()
        return others, names[most], names[tag]

    def _settle(self, proposal: Proposal, *, accepted: bool) -> None:
        """Remember the decision on the proposal at hand, and go on."""
        session = self._window.opened
        at = self._meant(proposal)
        if not self._is_alone or proposal.kind is ProposalKind.MISLABELLED:
            # What is only put in order says nothing of a kind of proposal.
            session.answer(Answer(proposal.kind, at, accepted, proposal.signs))
        self._recent.append(at)
        edited = session.edits.edited[at]
        self._window.answered(self._way(proposal), int(np.count_nonzero(edited)))
        self._decided.add(self._at)
        # It was put aside before, and answered after all.
        ahead = self._queue[self._at + 1 :]
        self._queue[self._at + 1 :] = [one for one in ahead if one is not proposal]
        self._step(1)

    def _ask(self, proposal: Proposal) -> None:
        """Ask for the class."""
        at = self._meant(proposal)

        def settle() -> None:
            self._settle(proposal, accepted=self._agrees(proposal, at))

        self._window.select(at)
        self._map.naming.name(at, then=settle)

    def _agrees(self, proposal: Proposal, at: NDArray[np.int64]) -> bool:
        """Whether the class that images have got agrees with a proposal."""
        session = self._window.opened
        before, now = session.shown.labels[at], session.edits.labels[at]
        return agrees(proposal, before, now, session.edits)

    @staticmethod
    def _way(proposal: Proposal) -> Way:
        if proposal.kind is ProposalKind.MISLABELLED:
            return Way.REVIEW
        return Way.GROUP if len(proposal.indices) > 1 else Way.SINGLE

    def _accept(self, proposal: Proposal) -> bool:
        session = self._window.opened
        edit = edit_of_yes(proposal, self._meant(proposal), session.edits)
        return edit is not None and self._map.naming.apply(edit)

    def _keep(self, proposal: Proposal) -> bool:
        """Confirm the label that was doubted; other proposals are only put aside.

        A single image in an order has no reason to be put aside for.
        """
        session = self._window.opened
        edit = edit_of_no(proposal, self._meant(proposal), session.edits)
        if edit is not None:
            return self._map.naming.apply(edit)
        return not self._is_alone

    @property
    def _is_alone(self) -> bool:
        """Whether single images are put in order."""
        return self._order in ORDERS

    def _meant(self, proposal: Proposal) -> NDArray[np.int64]:
        """Return the images of the proposal at hand that are not left out."""
        kept = [p for p in range(len(proposal.indices)) if p not in self._left_out]
        return proposal.indices[kept]

    def _toggle(self, place: int) -> None:
        """Leave an image of the proposal out, or take it back; one has to stay."""
        proposal = self.proposal
        if proposal is None:
            return
        left_out = self._left_out ^ {place}
        if len(left_out) < len(proposal.indices):
            self._left_out = left_out
            self._show_at_hand(proposal)

    def _take(
        self, queue: list[Proposal], order: str = MIXED, *, show: bool = True
    ) -> None:
        self._queue, self._at, self._order, self._last = list(queue), 0, order, ""
        self._n_found = len(queue)
        self._decided, self._left_out = set(), frozenset()
        images = [proposal.indices for proposal in queue]
        self._gallery.proposed = np.concatenate([*images, np.empty(0, np.int64)])
        self._show(select=show)
        self._window.ask()
        if show:
            self._window.turn_to(Turn.REVIEW)

    def _step(self, by: int) -> None:
        self._at = int(np.clip(self._at + by, 0, len(self._queue)))
        self._left_out = frozenset()
        self._show()
        self._window.ask()

    def _show(self, select: bool = True) -> None:
        panel, proposal = self._panel, self.proposal
        panel.show_counts(len(self._decided), self._n_found, self._last)
        self._window.review = (self._at + 1, len(self._queue)) if proposal else (0, 0)
        self._window.notify(Change.REVIEW)
        self._show_arrow(proposal)
        if proposal is None:
            panel.show_nothing(self._empty_text)
            self._gallery.look_at_all()
        else:
            self._show_at_hand(proposal, select)

    def _show_at_hand(self, proposal: Proposal, select: bool = True) -> None:
        n, meant = len(proposal.indices), self._meant(proposal)
        these = "it" if n == 1 else f"these {n}"
        if len(meant) < n:
            these = f"{len(meant)} of these {n}"
        if proposal.tag is None:
            action = ""
        elif proposal.place is None:
            action = f"Name {these} {proposal.tag}"
        else:
            action = f"Move {these} to {proposal.tag}"
        blocked = {}
        is_alone = self._is_alone
        if is_alone and proposal.kind is not ProposalKind.MISLABELLED:
            blocked[NO] = _NO_LABEL
        ways = self._separates(proposal)
        title = ORDERS[Order(self._order)] if is_alone else _title(proposal)
        self._panel.show_proposal(
            self._at + 1,
            len(self._queue),
            f"{title} · put aside before" if self._at >= self._n_found else title,
            proposal.reason,
            action,
            _question(ways[1], ways[2]) if ways else "",
            blocked,
            "" if proposal.tag else "What is it?" if n == 1 else "What are they?",
            self._window.edits.class_names,
        )
        self._show_pictures(proposal)
        if select:
            self._gallery.compare(meant, proposal.tag or "")
            self._window.select(meant)

    def _show_pictures(self, proposal: Proposal) -> None:
        shown = proposal.indices[:_SHOWN].tolist()
        found = [self._window.pictures.at(index, _SIDE) for index in shown]
        pictures = [picture for picture in found if picture is not None]
        self._panel.show_pictures(pictures, self._left_out, self._is_alone)

    def _on_pictures(self, images: NDArray[np.int64]) -> None:
        """Show the better pictures that have come."""
        proposal = self.proposal
        if proposal is not None and np.isin(proposal.indices, images).any():
            self._show_pictures(proposal)

    def _show_words(self) -> None:
        """Say how often the user agreed so far, and what going on may bring."""
        session, panel = self._window.session, self._panel
        if session is None or not self._window.has_map:
            panel.show_words("", "", "")
            return
        panel.class_keys.show_classes(
            session.edits.class_names, self._window.class_keys
        )
        changed = session.edits.labels != session.shown.labels
        counts = [int(np.count_nonzero(changed[at])) for at in self._recent]
        rounds = session.state.rounds
        stands = rounds and rounds[-1].status is RoundStatus.ACCEPTED
        last = rounds[-1] if stands else None
        expected = f"{describe_recent(counts)} {describe_round(last)}".strip()
        pace = describe_paces(session.state.habits.paces)
        panel.show_words(summarise(session.answers), expected, pace)

    def _show_arrow(self, proposal: Proposal | None) -> None:
        view, session = self._map.view, self._window.session
        if view is None or session is None:
            return
        if proposal is None or proposal.place is None or proposal.tag is None:
            view.overlay.change(proposal=Arrows())
            return
        names = session.edits.class_names
        tag = names.index(proposal.tag) if proposal.tag in names else -1
        start = session.edits.positions[proposal.indices].mean(axis=0)
        view.overlay.change(
            proposal=Arrows(
                start[None],
                proposal.place[None],
                self._window.class_colours[[tag]],
            )
        )


def _question(one: str, other: str) -> str:
    """Ask what separates two classes, in one line however long their names are."""
    short = [
        name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1].rstrip()}…"
        for name in (one, other)
    ]
    return f"What separates {short[0]} from {short[1]}?"


def _title(proposal: Proposal) -> str:
    """Say why something is proposed."""
    if proposal.kind is ProposalKind.MISLABELLED and proposal.signs:
        # Where other labels agree, a label is only less certain than the rest.
        return _TITLES[proposal.kind] if proposal.signs[0] < 0 else "less certain"
    return _TITLES[proposal.kind]


def describe_recent(counts: Sequence[int]) -> str:
    """Say what the last answers changed, as a hint at what the next ones may.

    Parameters
    ----------
    counts : sequence of int
        Images whose class each answer has changed, as it stands now.
    """
    n, images = len(counts), sum(counts)
    if n < _FEWEST:
        return ""
    if not images:
        return f"None of your last {n} answers changed the class of an image."
    some = sum(count > 0 for count in counts)
    which = f"All of your last {n}" if some == n else f"{some} of your last {n}"
    return f"{which} answers changed a class: {counted(images, 'image')} in all."


def describe_round(past: Round | None) -> str:
    """Say what a round gained by its edits; "" where that is not known."""
    over = {} if past is None else past.evidence.over
    reference = CONTROL if CONTROL in over else BEFORE
    if past is None or reference not in over:
        return ""
    gain = over[reference]
    edits = past.edits
    standing = {n for n, edit in enumerate(edits) if not isinstance(edit, Withdraw)}
    count = len(standing - withdrawn(edits))
    made = "1 edit" if count == 1 else f"{count:,} edits"
    than = "the control" if reference == CONTROL else "the network before it"
    interval = gain.interval
    if not gain.is_clear:
        return (
            f"Your last round, of {made}, could not be told from {than} "
            f"({gain.value * 100:+.1f} points, {interval})."
        )
    verb = "gained" if gain.value > 0 else "lost"
    points = f"{abs(gain.value) * 100:.1f} points"
    return f"Your last round, of {made}, {verb} {points} over {than} ({interval})."
