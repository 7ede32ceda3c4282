"""Read every layer of a decoder through the model's own final norm and head, and replace what it made of a clip.

Hooks reduce on the spot: of a layer's states only those at the wanted places are turned into a distribution, and of
that a few numbers are kept. Of the other clip the states of all layers at the clip's places are kept, in the model's
own type: 60 MB for 48 layers and 300 places of 2,048 numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.probe.lens_targets import LensTarget
from dtbench.harness.probe.settling import TokenTrace
from dtbench.harness.store.lens_probe_types import PatchReadings

if TYPE_CHECKING:
    from dtbench.harness.probe.forced import ProbedModel

_ALIKE = 0.01
"""By how much the top of the lens may differ from the model's own scores, as a share of their spread."""


class LensText(NamedTuple):
    """A prompt with a text forced after it, ready for the model."""

    inputs: Mapping[str, Any]
    start: int
    """The place of the first forced token."""
    clip: Sequence[int]
    """The places of the clip; empty where there is none."""
    targets: Sequence[LensTarget]

    @property
    def before(self) -> list[int]:
        """Return the places whose states say what is expected at the targets."""
        return [self.start + target.place - 1 for target in self.targets]


class LayerReader:
    """A model whose layers are read one by one."""

    def __init__(self, probed: ProbedModel) -> None:
        self._probed = probed
        self._is_checked = False

    @property
    def layers(self) -> int:
        """How many layers its decoder has."""
        return len(self._probed.layers)

    @property
    def vocabulary(self) -> int:
        """How many tokens its head scores."""
        return int(self._probed.head.weight.shape[0])

    def read(self, text: LensText) -> list[TokenTrace]:
        """Return what each layer says at every target of a text."""
        rows: list[list[tuple[float, ...]]] = []
        before = text.before
        last: list[Any] = []

        def reduce(layer: int, states: Any) -> None:
            scores = self._scores(states[0, before])
            rows.append([_numbers(row, target) for row, target in zip(scores, text.targets, strict=True)])
            last[:] = [scores]

        with self._after_each(reduce):
            own = self._probed.forward_inputs(text.inputs)[0, before].float().log_softmax(-1)
        self._check(last[0], own)
        return [_trace([row[place] for row in rows], target) for place, target in enumerate(text.targets)]

    def patch(self, text: LensText, donor: Mapping[str, Any]) -> dict[str, PatchReadings]:
        """Replace the states of the clip, after one layer at a time, by those of another clip under the same text.

        Nothing after the last layer reads the clip's states, so there the change is 0 without a look.
        """
        kept: list[Any] = []
        self._run(donor, lambda layer, states: kept.append(states[0, text.clip].clone()), text)
        plain = self._run(text.inputs, None, text)
        found = []
        for layer in range(self.layers):
            found.append(self._run(text.inputs, _replace(layer, text.clip, kept[layer]), text))
        return _compare_patched(text.targets, plain, found)

    def _run(self, inputs: Mapping[str, Any], hook: Callable[[int, Any], Any] | None, text: LensText) -> Any:
        """Return the log-probabilities of all tokens before each target."""
        with self._after_each(hook or (lambda layer, states: None)):
            return self._probed.forward_inputs(inputs)[0, text.before].float().log_softmax(-1)

    def _scores(self, states: Any) -> Any:
        return self._probed.head(self._probed.norm(states)).float().log_softmax(-1)

    @contextmanager
    def _after_each(self, hook: Callable[[int, Any], Any]) -> Iterator[None]:
        """Call the hook with the states after each layer, the embeddings first; what it returns takes their place."""

        def first(module: Any, args: Any, kwargs: dict[str, Any]) -> Any:
            states = args[0] if args else kwargs["hidden_states"]
            changed = hook(0, states)
            if changed is None:
                return None
            return ((changed, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": changed})

        def later(layer: int) -> Callable[..., Any]:
            def after(module: Any, args: Any, output: Any) -> Any:
                changed = hook(layer, output[0] if isinstance(output, tuple) else output)
                if changed is None:
                    return None
                return (changed, *output[1:]) if isinstance(output, tuple) else changed

            return after

        layers = self._probed.layers
        handles = [layers[0].register_forward_pre_hook(first, with_kwargs=True)]
        handles += [each.register_forward_hook(later(place)) for place, each in enumerate(layers, 1)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _check(self, top: Any, own: Any) -> None:
        """Refuse a model whose scores are not what its norm and head make of the last layer."""
        if self._is_checked:
            return
        apart = float((top - own).square().mean().sqrt() / own.std())
        if not apart < _ALIKE:
            raise MachineryError(
                f"{self._probed.spec}: its final norm and head do not give its own scores ({apart:.2g} of their spread "
                "apart), so the lens would show something else."
            )
        self._is_checked = True


def _replace(wanted: int, places: Sequence[int], kept: Any) -> Callable[[int, Any], Any]:
    def replace(layer: int, states: Any) -> Any:
        if layer != wanted:
            return None
        changed = states.clone()
        changed[0, places] = kept
        return changed

    return replace


def _numbers(row: Any, target: LensTarget) -> tuple[float, ...]:
    """Return entropy in bits, log-probability, rank, that of the other token, and the margin between options."""
    own = row[target.token]
    entropy = -(row.exp() * row).nan_to_num(0.0).sum() / math.log(2)
    other = row[target.other] if target.other is not None else own
    return (float(entropy), float(own), int((row > own).sum()) + 1, float(other), _margin(row, target))


def _margin(row: Any, target: LensTarget) -> float:
    if not target.options:
        return math.nan
    options = row[list(target.options)].tolist()
    right = options.pop(target.right)
    return float(right - max(options))


def _trace(layers: Sequence[tuple[float, ...]], target: LensTarget) -> TokenTrace:
    entropy, logprob, rank, other, margin = zip(*layers, strict=True)
    ranks = [int(one) for one in rank]
    return TokenTrace(
        entropy, logprob, ranks, other if target.other is not None else None, margin if target.options else None
    )


def _compare_patched(targets: Sequence[LensTarget], plain: Any, found: Sequence[Any]) -> dict[str, PatchReadings]:
    """Compare what is likeliest with and without another clip, by kind of token; the top is 0 by itself."""
    kinds = dict.fromkeys(target.kind for target in targets)
    patched: dict[str, PatchReadings] = {}
    for kind in kinds:
        own = [place for place, target in enumerate(targets) if target.kind == kind]
        pairs = [[_changed(targets[place], plain[place], layer[place]) for place in own] for layer in found]
        changed = [math.fsum(one for one, _ in layer) / len(own) for layer in pairs]
        fall = [math.fsum(one for _, one in layer) / len(own) for layer in pairs]
        patched[kind] = {"changed": [*changed, 0.0], "fall": [*fall, 0.0]}
    return patched


def _changed(target: LensTarget, plain: Any, patched: Any) -> tuple[float, float]:
    """Return whether another token, or option, is the likeliest, and how far the log-probability of the first falls."""
    if target.options:
        options = list(target.options)
        plain, patched = plain[options].log_softmax(-1), patched[options].log_softmax(-1)
    likeliest = int(plain.argmax())
    return float(int(patched.argmax()) != likeliest), float(plain[likeliest] - patched[likeliest])
