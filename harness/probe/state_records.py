"""What one model computed for a text, kept on disk until the other model is there to be compared with it.

Hooks reduce on the spot: of the first model a text's states are written layer by layer, in the model's own digits; of
the second they are compared as they come, and only sums and a few tokens for CKA remain. So memory holds the states of
one layer, however deep the models are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.probe.forced import SEGMENTS, ForcedText, ProbedModel
from dtbench.harness.probe.state_measures import (
    cosine_distances,
    entropy_bits,
    relative_distances,
    shared_experts,
)

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Numbers = NDArray[numpy.float64]

MEASURES = ("cosine", "relative_l2", "normed_cosine", "trimmed_cosine")
"""The distances of states: as they are, behind the model's own last norm, and without the largest dimensions."""
RouterCallback = Callable[[int, Any, Any], None]
"""Gets the layer, the probability of each expert and the chosen ones: a row for each token."""


@contextmanager
def each_router(probe: ProbedModel, read: RouterCallback) -> Iterator[None]:
    """Call `read` with what each router decides."""

    def decided(layer: int, module: Any) -> Callable[[Any, Any, Any], None]:
        def hook(_: Any, args: Any, output: Any) -> None:
            weight = module.weight
            logits = args[0].reshape(-1, weight.shape[1]) @ weight.T
            probabilities = logits.float().softmax(dim=-1)
            chosen = output[-1] if isinstance(output, tuple) else None
            if chosen is None or chosen.is_floating_point():
                chosen = probabilities.topk(probe.top_k, dim=-1).indices
            read(layer, probabilities.cpu().numpy(), chosen.reshape(len(probabilities), -1).cpu().numpy())

        return hook

    with ExitStack() as hooks:
        for layer, module in probe.routers.items():
            hooks.callback(module.register_forward_hook(decided(layer, module)).remove)
        yield


class RecordedText(NamedTuple):
    """The files of what the first model computed for a text."""

    states: Path
    routing: Path

    @classmethod
    def of(cls, folder: Path, name: str) -> RecordedText:
        """Name the files."""
        return cls(folder / f"{name}.npy", folder / f"{name}.routing.npz")

    @property
    def is_there(self) -> bool:
        """Whether both were written whole."""
        return self.states.is_file() and self.routing.is_file()


def record_text(probe: ProbedModel, text: ForcedText, files: RecordedText, totals: Any) -> None:
    """Write the states and the routing of a text, and add the magnitudes of its dimensions to `totals`."""
    import numpy

    width, layers = int(probe.head.weight.shape[1]), len(probe.layers) + 1
    draft = files.states.with_suffix(".part")
    is_half = "bfloat16" in str(probe.model.dtype)
    kind = numpy.uint16 if is_half else numpy.float32
    opened: Any = numpy.lib.format.open_memmap
    stored = opened(draft, "w+", kind, (layers, len(text.segments), width))
    routing: dict[str, Any] = {}

    def keep(place: int, hidden: Any) -> None:
        rows = hidden[0].float().cpu().numpy()
        totals[place + 1] += numpy.abs(rows).sum(axis=0)
        stored[place + 1] = (rows.view(numpy.uint32) >> 16).astype(numpy.uint16) if is_half else rows

    def choose(layer: int, probabilities: Any, chosen: Any) -> None:
        routing[f"chosen_{layer}"] = chosen.astype(numpy.int16)
        routing[f"entropy_{layer}"] = entropy_bits(probabilities)

    with probe.each_layer(keep), each_router(probe, choose):
        probe.forward(text)
    stored.flush()
    with files.routing.open("wb") as file:
        numpy.savez(file, **routing)
    draft.rename(files.states)


def recorded_states(path: Path) -> Any:
    """Return the states of a text as they lie on disk, by layer, token and dimension."""
    import numpy

    return numpy.load(path, mmap_mode="r")


def as_floats(stored: Any) -> Any:
    """Return stored states as numbers, bit for bit as they were computed."""
    import numpy

    rows = numpy.array(stored)
    return (rows.astype(numpy.uint32) << 16).view(numpy.float32) if rows.dtype == numpy.uint16 else rows


@dataclass(slots=True, kw_only=True)
class TextComparison:
    """A text as two models computed it: sums over the tokens of each segment, and a few tokens for CKA."""

    counts: Any
    """How many tokens each segment has."""
    drift: Any
    """Sums of each of MEASURES, by place of the layer and segment."""
    sampled: Any
    """States of both models at a few tokens, by place of the layer: model, token, dimension."""
    segments: Any
    """The number of the segment of each of these tokens."""
    routing: dict[str, Any] = field(default_factory=dict[str, Any])
    """By figure and layer: `load_a_3` has a row for each segment and a column for each expert."""

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        import numpy

        sampled = sampled_file(path)
        numpy.save(sampled, self.sampled)
        draft = path.with_suffix(".part")
        with draft.open("wb") as file:
            numpy.savez(file, counts=self.counts, drift=self.drift, segments=self.segments, **self.routing)
        draft.rename(path)


def sampled_file(path: Path) -> Path:
    """Return the file of the states that are kept for CKA, of which a layer at a time is read."""
    return path.with_suffix(".sampled.npy")


class RecordedBase(NamedTuple):
    """What the second model is compared with, and how."""

    files: RecordedText
    norm: Any
    """The last norm of the first model, where the second computes."""
    largest: Sequence[Sequence[int]]
    """The largest dimensions of the first model by place of the layer."""
    samples: int
    """The most tokens of a segment that are kept for CKA."""
    moved: Mapping[int, Sequence[int]] = {}
    """By layer, which expert of the first model each of the second is; none where none was moved."""


def compare_text(probe: ProbedModel, text: ForcedText, base: RecordedBase, inputs: Any = None) -> TextComparison:
    """Compare what a model computes for a text with what another one did.

    `inputs` are those of the text in another form, whose first row is compared.
    """
    import numpy

    states, routes = recorded_states(base.files.states), numpy.load(base.files.routing)
    length = len(text.segments)
    member = numpy.array([[name == segment for name in text.segments] for segment in SEGMENTS], float)
    kept = [place for segment in SEGMENTS for place in spread(text.places(segment), base.samples)]
    found = TextComparison(
        counts=member.sum(axis=1),
        drift=numpy.zeros((len(MEASURES), len(states), len(SEGMENTS))),
        sampled=numpy.zeros((len(states), 2, len(kept), states.shape[2]), numpy.float32),
        segments=numpy.array([SEGMENTS.index(text.segments[place]) for place in kept], int),
    )

    def compare(place: int, hidden: Any) -> None:
        one, other = as_floats(states[place + 1]), hidden[0].float().cpu().numpy()
        without = list(base.largest[place + 1])
        normed = _normed(base.norm, one), _normed(probe.norm, other)
        trimmed = numpy.delete(one, without, axis=1), numpy.delete(other, without, axis=1)
        each = (
            cosine_distances(one, other),
            relative_distances(one, other),
            cosine_distances(*normed),
            cosine_distances(*trimmed),
        )
        found.drift[:, place + 1] = numpy.stack(each) @ member.T
        found.sampled[place + 1] = one[kept], other[kept]

    def route(layer: int, probabilities: Any, chosen: Any) -> None:
        own = chosen[:length]
        if layer in base.moved:
            own = numpy.array(base.moved[layer])[own]
        entropies = routes[f"entropy_{layer}"], entropy_bits(probabilities[:length])
        _add_routing(
            found.routing, layer, (routes[f"chosen_{layer}"], own), entropies, (member, probabilities.shape[1])
        )

    with probe.each_layer(compare), each_router(probe, route):
        probe.forward_inputs(text.inputs if inputs is None else inputs)
    return found


def _normed(norm: Any, rows: Any) -> Any:
    import torch

    like = next(norm.parameters())
    with torch.inference_mode():
        return norm(torch.from_numpy(rows)[None].to(like.device, like.dtype))[0].float().cpu().numpy()


def _add_routing(
    routing: dict[str, Any], layer: int, chosen: tuple[Any, Any], entropies: tuple[Any, Any], how: tuple[Any, int]
) -> None:
    """Add what a layer's two routers decided, summed over the tokens of each segment."""
    import numpy

    member, experts = how
    for name, experts_of, entropy in zip("ab", chosen, entropies, strict=True):
        used = (experts_of[:, :, None] == numpy.arange(experts)).sum(axis=1)
        routing[f"load_{name}_{layer}"] = member @ used
        routing[f"entropy_{name}_{layer}"] = member @ entropy
    common = shared_experts(*chosen)
    routing[f"overlap_{layer}"] = member @ common
    routing[f"changed_{layer}"] = member @ (common < 1)


def spread(places: Sequence[int], most: int) -> Sequence[int]:
    """Return at most so many of the places, evenly spread."""
    if len(places) <= most:
        return places
    return [places[(2 * number + 1) * len(places) // (2 * most)] for number in range(most)]
