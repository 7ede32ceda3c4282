"""Put weights of one model into another, part by part, and measure what that does to its answers.

Which part changed most is no answer to which part matters: a step of Adam moves every weight by about the learning
rate. So the parts of B take the place of A's, one after the other, and what A then does is measured. Both models'
weights lie on disk meanwhile, in pieces of a layer, so that no memory has to hold a second model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.probe.forced import ForcedText, ProbedModel
from dtbench.harness.probe.tensor_kinds import place_of

ROUTER, EXPERTS, ATTENTION, MLP, LAYER, OUTSIDE = "router", "experts", "attention", "mlp", "layer", "outside"
PARTS = (ROUTER, EXPERTS, ATTENTION, MLP, LAYER, OUTSIDE)
"""`layer` is all of a layer with its norms, `outside` what is in none: ears, embeddings, the last norm, the head."""
_KINDS = {"router": ROUTER, "expert": EXPERTS, "shared": EXPERTS, "attention": ATTENTION, "mlp": MLP}
_ONE_BY_ONE = 12
"""Layers up to which each is swapped alone; of more, blocks of _BLOCK are."""
_BLOCK = 8


class Swap(NamedTuple):
    """Weights of B that take the place of A's."""

    part: str
    """One of PARTS."""
    first: int
    last: int
    """The layers, both included."""
    names: tuple[str, ...]
    """The weights."""

    @property
    def key(self) -> str:
        """Return what names it among those of a probe."""
        return f"{self.part} {self.first}-{self.last}"


def plan_swaps(probe: ProbedModel, parts: Sequence[str]) -> list[Swap]:
    """Return the swaps of these parts: of all layers together, and of each layer or block of layers."""
    by_layer, outside = _names_by_layer(probe)
    count = len(by_layer)
    step = 1 if count <= _ONE_BY_ONE else _BLOCK
    blocks = [(first, min(first + step, count) - 1) for first in range(0, count, step)]
    swaps = []
    for first, last in [(0, count - 1), *(blocks if count > 1 else [])]:
        for part in parts:
            names = [name for layer in by_layer[first : last + 1] for name in layer if part in (LAYER, _part(name))]
            if part == OUTSIDE and (first, last) == (0, count - 1):
                names = outside
            if names:
                swaps.append(Swap(part, first, last, tuple(names)))
    return swaps


def _names_by_layer(probe: ProbedModel) -> tuple[list[list[str]], list[str]]:
    """Return the names of the weights of each layer, and of those in none."""
    prefixes = {id(module): name for name, module in probe.model.named_modules()}
    within = [f"{prefixes[id(layer)]}." for layer in probe.layers]
    names = [name for name, _ in probe.model.named_parameters()]
    by_layer = [[name for name in names if name.startswith(prefix)] for prefix in within]
    return by_layer, [name for name in names if not name.startswith(tuple(within))]


def _part(name: str) -> str | None:
    return _KINDS.get(place_of(name).kind)


class WeightStore(NamedTuple):
    """The weights of a model as files, one for each layer."""

    folder: Path

    @property
    def is_there(self) -> bool:
        """Whether it was written whole."""
        return (self.folder / "done").is_file()

    def write(self, probe: ProbedModel) -> None:
        """Write the weights of a model."""
        from safetensors.torch import save_file

        self.folder.mkdir(parents=True, exist_ok=True)
        weights = dict(probe.model.named_parameters())
        if any(one.device.type == "meta" for one in weights.values()):
            raise UserError(
                f"{probe.spec}: some of its weights are set aside by -M device_map and cannot be swapped: take a "
                "device that holds it, or --parts none."
            )
        by_layer, outside = _names_by_layer(probe)
        for number, names in enumerate([*by_layer, outside]):
            whole = {name: weights[name].detach().cpu().contiguous() for name in names}
            save_file(whole, self.folder / f"{number:03}.safetensors")
        (self.folder / "done").touch()

    def files(self) -> Mapping[str, Path]:
        """Return the file of each weight."""
        from safetensors import safe_open

        found: dict[str, Path] = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            with safe_open(path, "pt") as file:
                found |= dict.fromkeys(file.keys(), path)
        return found


class ExpertOrders(NamedTuple):
    """Experts that changed places between A and B: taken for what they are, and not for new ones."""

    by_layer: Mapping[int, Sequence[int]]
    """Layer -> for each expert of A its place in B."""
    prefixes: Mapping[str, int]
    """The beginning of the names of a layer's weights -> the layer."""

    @classmethod
    def of(cls, probe: ProbedModel, by_layer: Mapping[int, Sequence[int]]) -> ExpertOrders:
        """Make it for a model."""
        names = {id(module): name for name, module in probe.model.named_modules()}
        return cls(by_layer, {f"{names[id(probe.layers[layer])]}.": layer for layer in by_layer})

    def in_order(self, name: str, weights: Any) -> Any:
        """Return a weight of B with its experts in the order of A's."""
        layer = next((layer for prefix, layer in self.prefixes.items() if name.startswith(prefix)), None)
        order = () if layer is None else self.by_layer[layer]
        is_by_expert = place_of(name).kind in {"router", "expert"} and len(weights) == len(order)
        return weights[list(order)] if is_by_expert else weights


class SwapStores(NamedTuple):
    """Where the weights of both models are."""

    ours: WeightStore
    theirs: WeightStore
    orders: ExpertOrders


@contextmanager
def swapped(probe: ProbedModel, swap: Swap, stores: SwapStores) -> Iterator[None]:
    """Put weights of B into A for as long as the block lasts."""
    try:
        _load(probe, swap.names, stores.theirs, stores.orders)
        yield
    finally:
        _load(probe, swap.names, stores.ours, None)


def _load(probe: ProbedModel, names: Sequence[str], store: WeightStore, orders: ExpertOrders | None) -> None:
    import torch
    from safetensors import safe_open

    weights, files = dict(probe.model.named_parameters()), store.files()
    by_file: dict[Path, list[str]] = {}
    for name in names:
        by_file.setdefault(files[name], []).append(name)
    for path, own in by_file.items():
        with safe_open(path, "pt") as file, torch.no_grad():
            for name in own:
                stored = file.get_tensor(name)
                weights[name].copy_(stored if orders is None else orders.in_order(name, stored))


class TextLogprobs(NamedTuple):
    """How likely a text is to a model."""

    text: float | None
    """The mean log-probability of its tokens; None where it has none."""
    answer: float | None
    """The log-probability of its answer, all tokens of it together, behind its chain; None where it has none."""


def text_logprobs(scores: Any, text: ForcedText) -> TextLogprobs:
    """Return how likely a forced text is, by the scores of the next word at each of its tokens."""
    import torch

    target = torch.tensor(text.tokens, device=scores.device)
    each = scores.float().log_softmax(dim=-1).gather(1, target[:, None])[:, 0].double().cpu()
    answer = [place - text.start for place in text.places("answer") if place >= text.start]
    return TextLogprobs(float(each.mean()), float(each[answer].sum()) if answer else None)
