"""The types of what `dtbench probe weights` stores, a line a tensor, and of what its --json prints."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class StoredChange(TypedDict):
    """Sums over the elements of a tensor, from one checkpoint to the next."""

    size: int
    changed: int
    """Elements whose stored value differs."""
    moved: int
    """Elements that moved by a step of bfloat16 at least."""
    steps: int
    """Steps of bfloat16 in all."""
    by_steps: list[int]
    """Elements that moved by at least 1, 2, 4, 8, ... steps."""
    most_steps: int
    hidden: int
    """Elements too large to show what the optimiser can move in all."""
    squares: float
    """Sum of the squares of the changes."""
    weights: float
    """Sum of the squares of the values before."""
    along: float
    """Sum of the products of value and change."""
    largest: float
    """The largest change of an element."""
    invalid: int
    """Elements that are infinite or no number."""
    dtype: str
    """The type of numbers in which it was compared: the coarser of the two."""
    rank: NotRequired[float]
    """Effective rank of the change; absent where nothing changed, and of vectors and very large matrices."""
    noise_rank: NotRequired[float]
    """That of noise of the same shape."""
    top_share: NotRequired[float]
    """Share of the largest singular value in the squares of the change."""
    noise_top_share: NotRequired[float]
    angles: NotRequired[list[float | None]]
    """Of a router: the angle between an expert's rows, in degrees; null for a row that is 0."""


class StoredTensor(TypedDict):
    """A line of `weights.tensors.jsonl`: a tensor of the first checkpoint, compared with the others."""

    name: str
    rows: int
    columns: int
    bytes: int
    """Read from all checkpoints."""
    changes: list[StoredChange]
    """From the first to the second, from the second to the third where there is one, and from the first to the control
    where there is one."""
    products: NotRequired[list[float]]
    """Sums of the products of the first change and each later one; absent where there is one change only."""


class WeightPlace(TypedDict):
    """Where in a model some tensors are."""

    part: str | None
    """decoder, audio, vision, talker or other; null for several."""
    kind: str | None
    """attention, expert, router, norm, tower, projector, ...; null for several."""
    layer: int | None
    """Of its part; null for several, and outside of layers."""
    expert: int | None
    """By its place in the first checkpoint; null for several, and for what is of no expert."""


class WeightFigures(WeightPlace):
    """How far some tensors moved."""

    name: str
    tensors: int
    elements: int
    changed: float
    """Share of elements whose stored value differs."""
    rms: float
    """Root of the mean square of the changes, over all elements."""
    relative: float | None
    """Norm of the change as a share of the norm of the values; null where all were 0 before and are not now."""
    scaled: float | None
    """Share of the change that lies along the values: 1 where they were only scaled; null without a change."""
    largest: float
    """The largest change of an element."""
    moved: float
    """Share of elements that moved by a step of bfloat16 at least."""
    usual_steps: int
    """The largest power of two of steps that half of those did at least; 0 where none moved."""
    mean_steps: float
    """Steps of bfloat16 that those moved on average, which a few values beside 0 make large."""
    most_steps: int
    resolution: float
    """Half a step of the stored type at the rms of the values: a smaller change of such a value is lost."""
    hidden: float | None
    """Share of elements so large that no change within the optimiser's reach shows; null where it is not known."""
    coherence: float | None
    """rms, of elements that can show a change, as a share of the optimiser's reach; null where it is not known."""
    rank: float | None
    """Effective rank of the change, the median of the matrices; null where none of them has one."""
    noise_rank: float | None
    """That of noise of the same shapes."""
    top_share: float | None
    """Share of the largest singular value in the squares of the change, the median."""
    noise_top_share: float | None
    low_rank: float | None
    """Share of the matrices whose change has less than half the effective rank of noise."""
    invalid: int
    """Elements that are infinite or no number, which are in no other figure."""
    verdict: str
    """same, noise, signal, scaled, beyond (more than the optimiser explains) or changed (nothing to tell it by)."""


class OptimiserReach(TypedDict):
    """How far an optimiser can move a weight, by its learning rates; Adam moves each by about the rate in a step."""

    steps: int
    learning_rate: float
    """The highest of the steps."""
    total: float
    """Sum of the learning rates: the way of a weight that every step moves in one direction."""
    random: float
    """Root of the sum of their squares: the way of a weight whose steps have no common direction."""
    source: str
    """Where these figures come from."""


class RouterLayer(TypedDict):
    """The router and the experts of a layer."""

    layer: int
    router_rms: float
    experts_rms: float
    """The median of the experts."""
    router_relative: float | None
    experts_relative: float | None
    """The median of the experts."""
    ratio: float | None
    """Relative change of the router in that of the experts, as the paper shows it; null where the latter is 0."""
    rms_ratio: float | None
    """The same of the rms: 1 where an optimiser moved all weights alike, whatever their scale."""


class ExpertMap(TypedDict):
    """A figure of each expert of each layer: rows are layers, columns experts, for pictures."""

    layers: list[int]
    experts: list[int]
    rms: list[list[float | None]]
    relative: list[list[float | None]]
    changed: list[list[float | None]]
    router_angle: list[list[float | None]]
    """Between the rows of the router, in degrees."""
    routers: list[RouterLayer]


class ReorderedExperts(TypedDict):
    """A layer whose experts changed places."""

    router: str
    places: list[int]
    """For each expert of the first checkpoint its place in the second."""


class WeightAnswer(TypedDict):
    """What was found, in words and names."""

    changed: str
    """What changed, and what changed most."""
    beyond: str
    """What the optimiser does not explain."""
    below_resolution: str
    """What could not show, or is lost in bfloat16."""
    most: list[str]
    """Groups that moved clearly further than the others; empty where none did."""
    signal: list[str]
    """Groups whose change has a direction: coherent over the steps, or of low rank."""


class WeightStage(TypedDict):
    """The change from one checkpoint to another."""

    before: str
    after: str
    control: NotRequired[bool]
    """Whether it is the change that the control made; absent for all others."""
    optimiser: OptimiserReach | None
    answer: WeightAnswer
    whole: WeightFigures
    kinds: list[WeightFigures]
    layers: list[WeightFigures]
    """By part and layer."""
    groups: list[WeightFigures]
    """By part, layer and kind, from the largest rms."""
    tensors: list[WeightFigures]
    experts: ExpertMap | None
    """null for a model without experts."""
    permuted: list[ReorderedExperts]
    """Layers whose experts changed places: they are compared with those that they were."""


class WeightDirection(WeightPlace):
    """How a later change lies to the first: that of a further training, or of the control."""

    name: str
    elements: int
    cosine: float | None
    """Between both changes: 1 goes on, 0 turns aside, -1 undoes; null where one of them is 0."""
    chance: float
    """What two changes without anything in common reach: one over the root of the number of elements."""
    kept: float | None
    """Norm of the change over both in the sum of their norms: 1 for one direction; null where nothing changed."""


class ProbedFolder(TypedDict):
    """A checkpoint that was compared."""

    given: str
    folder: str
    adapter: str | None
    """The folder of the LoRA adapter whose change is added; null for none."""
    tensors: int
    bytes: int


class UncomparedTensors(TypedDict):
    """Tensors that are left out."""

    why: Literal["only in one", "type"]
    part: str
    checkpoints: list[str]
    """Those that have them."""
    tensors: int
    names: list[str]
    """The first of them."""


class WeightProbe(TypedDict):
    """What `dtbench probe weights --json` prints."""

    schema: int
    checkpoints: list[ProbedFolder]
    notes: list[str]
    stages: list[WeightStage]
    directions: list[WeightDirection]
    """By kind, then by part, layer and kind; empty without a third checkpoint."""
    beside_control: NotRequired[list[WeightDirection]]
    """The same of the control's change beside that from A to B; absent without a control."""
    left_out: list[UncomparedTensors]
    gigabytes: float
    """Read in all, of 10^9 bytes."""
    seconds: float
    """Of all starts together."""
    seconds_per_gigabyte: float | None
    """Of what this start read; null where it read nothing."""
