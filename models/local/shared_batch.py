"""Give prompts whose clips have other lengths to the decoder as one batch.

Features are never padded: some encoders hear padding as sound. So the model itself encodes the clips of each shape
apart and puts them into the embeddings of their prompts; what its decoder would be given then is kept, padded in front,
and takes the place of what a batch without clips gives to it. Nothing here knows an architecture. Instead every batch
is checked: a prompt must have the positions and see the tokens that it has and sees alone, exactly. What else may
depend on a clip (Granite Speech turns its adapter on by it) is checked once: in the first batch, the scores of the
first token of the shortest prompt must be those that it has alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

Generate = Callable[[Mapping[str, Any]], object]
"""Generates one token."""
_OWN = {"attention_mask", "position_ids", "cache_position"}
"""What a decoder is given beside embeddings, and is made for the batch as a whole."""


_ALIKE = {"torch.float32": 0.01, "torch.float64": 0.01}
_ALIKE_HALF = 0.2
"""How far scores may be apart, as a share of their spread: rounding moves them by a thousandth of these."""


class CannotShareError(Exception):
    """A decoder that is not given what can be padded: embeddings, positions, and masks of both."""


class _DecoderReachedError(Exception):
    """The decoder is about to compute; no more is needed."""


class DecoderInput(NamedTuple):
    """What the decoder is given for one prompt that is answered alone, without padding."""

    positions: Any
    """As the whole model is given them, by which those of new tokens are counted."""
    decoder_positions: Any
    by_token: Mapping[str, Any]
    """The embeddings, and whatever else has a row for every token."""
    masks: Mapping[str, Any]
    """Which tokens each token sees, by the kind of layer; None for all before it."""


class SharedBatch:
    """A model whose decoder can be given prompts that were encoded apart."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._decoder = model.get_decoder() if hasattr(model, "get_decoder") else model
        self.is_checked = False
        """Whether a prompt got the scores in a batch that it has alone."""

    def score(self, generate: Generate, inputs: Mapping[str, Any]) -> Any:
        """Return the scores of the first token of one prompt alone."""
        scores: list[Any] = []
        with _hooked_after(self._model, lambda module, args, output: scores.append(output.logits[0, -1])):
            generate(inputs)
        return scores[0]

    @contextmanager
    def checked(self, row: int, alone: Any) -> Iterator[None]:
        """Refuse a batch in which a prompt gets other scores of its first token than alone."""

        def compare(module: Any, args: Any, output: Any) -> None:
            if self.is_checked:
                return
            one, other = alone.float(), output.logits[row, -1].float().to(alone.device)
            apart = float((one - other).square().mean().sqrt() / one.std())
            if not apart < _ALIKE.get(str(alone.dtype), _ALIKE_HALF):
                raise CannotShareError("a prompt is answered otherwise in a batch than alone")
            self.is_checked = True

        with _hooked_after(self._model, compare):
            yield

    def encode(self, generate: Callable[[Mapping[str, Any]], object], inputs: Mapping[str, Any]) -> list[DecoderInput]:
        """Return what the decoder would be given for each of these prompts, by a generation that ends there."""
        outer: dict[str, Any] = {}
        inner: dict[str, Any] = {}

        def keep(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
            outer.update(kwargs)

        def stop(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
            inner.update(kwargs, args=args)
            raise _DecoderReachedError

        try:
            with _hooked(self._model, keep), _hooked(self._decoder, stop):
                generate(inputs)
        except _DecoderReachedError:
            pass
        return list(_rows(outer, inner, inputs["attention_mask"]))

    @contextmanager
    def given(self, prompts: Sequence[DecoderInput]) -> Iterator[Any]:
        """Give the decoder these prompts in its next call; the value is the positions of the whole batch."""
        length = max(prompt.positions.shape[-1] for prompt in prompts)
        names = list(prompts[0].by_token)
        joined = {name: _joined([prompt.by_token[name] for prompt in prompts], length) for name in names}
        waits = [True]

        def replace(module: Any, args: Any, kwargs: dict[str, Any]) -> Any:
            if not waits:
                return None
            waits.clear()
            if any(prompt.by_token.keys() != joined.keys() for prompt in prompts):
                raise CannotShareError("its prompts are not given to its decoder in one form")
            _check(prompts, kwargs, joined)
            return args, {**kwargs, **joined}

        with _hooked(self._decoder, replace):
            yield _stacked([prompt.positions for prompt in prompts], length)


@contextmanager
def _hooked_after(module: Any, hook: Callable[..., Any]) -> Iterator[None]:
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _hooked(module: Any, hook: Callable[..., Any]) -> Iterator[None]:
    handle = module.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _rows(outer: Mapping[str, Any], inner: Mapping[str, Any], attention: Any) -> Iterator[DecoderInput]:
    """Cut the padding off each row of what a decoder is given."""
    positions, decoder_positions = outer.get("position_ids"), inner.get("position_ids")
    if positions is None or decoder_positions is None or inner.get("inputs_embeds") is None or inner.get("args"):
        raise CannotShareError("its decoder is not given embeddings and positions")
    by_token = _by_token(inner)
    for row, start in enumerate(attention.argmax(dim=1).tolist()):
        yield DecoderInput(
            positions[..., row, start:],
            decoder_positions[..., row, start:],
            {name: value[row, start:] for name, value in by_token.items()},
            {kind: _seen(mask, row, start) for kind, mask in _masks(inner).items()},
        )


def _by_token(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has a row for every token of every prompt; nothing else may depend on a prompt."""
    import torch

    shape = given["inputs_embeds"].shape[:2]
    found = {}
    for name, value in given.items():
        if name in _OWN or name == "args":
            continue
        if isinstance(value, torch.Tensor) and value.shape[:2] == shape:
            found[name] = value
        elif isinstance(value, torch.Tensor | tuple | list | dict):
            raise CannotShareError(f"its decoder is given {name}, of which the use is unknown")
    return found


def _check(prompts: Sequence[DecoderInput], given: Mapping[str, Any], joined: Mapping[str, Any]) -> None:
    """Refuse a batch in which a prompt would have other positions, or see other tokens, than alone."""
    if not _by_token(given).keys() <= joined.keys() or given.get("position_ids") is None:
        raise CannotShareError("its decoder is given something else without a clip")
    positions, masks = given["position_ids"], _masks(given)
    for row, prompt in enumerate(prompts):
        start = positions.shape[-1] - prompt.positions.shape[-1]
        if not bool((positions[..., row, start:] == prompt.decoder_positions).all()):
            raise CannotShareError("positions in a batch are not those of a prompt alone")
        if masks.keys() != prompt.masks.keys():
            raise CannotShareError("masks in a batch are not those of a prompt alone")
        for kind, mask in masks.items():
            if (mask is None and start) or not _same(_seen(mask, row, start), prompt.masks[kind]):
                raise CannotShareError("a prompt sees other tokens in a batch than alone")


def _masks(given: Mapping[str, Any]) -> Mapping[str, Any]:
    mask = given.get("attention_mask")
    return mask if isinstance(mask, dict) else {"": mask}


def _seen(mask: Any, row: int, start: int) -> Any:
    """Return which tokens each token of a row sees, None for all before it; refuse a row that sees its padding."""
    import torch

    if mask is None:
        return None
    if not isinstance(mask, torch.Tensor) or mask.dim() not in {2, 4}:
        raise CannotShareError("its masks have a form of their own")
    own = mask[row] if mask.dtype == torch.bool or mask.dim() == 2 else mask[row] == 0
    if mask.dim() == 2:
        if bool(own[:start].any()) or not bool(own[start:].all()):
            raise CannotShareError("a prompt sees other tokens in a batch than alone")
        return None
    if bool(own[:, start:, :start].any()):
        raise CannotShareError("a prompt sees the padding")
    return own[:, start:, start:]


def _same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        seen = other if one is None else one
        return seen is None or bool((seen == seen.new_ones(seen.shape).tril()).all())
    return bool((one == other).all())


def _joined(rows: Sequence[Any], length: int) -> Any:
    """Join values by token to a batch, with zeros in front."""
    batch = rows[0].new_zeros(len(rows), length, *rows[0].shape[1:])
    for place, row in zip(batch, rows, strict=True):
        place[length - len(row) :] = row
    return batch


def _stacked(rows: Sequence[Any], length: int) -> Any:
    """Join positions to a batch, with zeros in front: their last dimension is the tokens, the one before the rows."""
    import torch

    return torch.stack([torch.nn.functional.pad(row, (length - row.shape[-1], 0)) for row in rows], dim=-2)
