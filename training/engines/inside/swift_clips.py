"""Encode each clip once: all answers of a group have the same clip, in each of a step's three passes.

The features of a waveform are kept, and the audio tower's output if none of its weights learns; both by content, the
last MEMORY_BYTES of each. The reference model's copy of the tower has the same weights then, and shares what is kept.
"""

from __future__ import annotations

import hashlib
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

TOWER = "audio_tower"
MEMORY_BYTES = 1 << 28


class RecentResults:
    """The last results of a function, by the content of its input."""

    def __init__(self, most: int = MEMORY_BYTES) -> None:
        self._most, self._bytes = most, 0
        self._kept: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()
        self.made = 0
        """How many were not there yet."""

    def get(self, key: bytes) -> Any:
        """Return a result, None where it is not kept."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def keep(self, key: bytes, result: Any, size: int) -> None:
        """Keep a result, and forget the oldest beyond the limit; one alone may be larger."""
        self.made += 1
        self._kept[key] = result, size
        self._bytes += size
        while self._bytes > self._most and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1][1]


def encode_clips_once(trainer: Any, model: Any) -> None:
    """Keep features of clips, and what a frozen tower makes of them, in a trainer of ms-swift and in its reference.

    Weights that are gathered from other processes for each pass have to be asked for by all of them at once.
    """
    remember_features(trainer.template.processor.feature_extractor)
    plugin = getattr(trainer.accelerator.state, "deepspeed_plugin", None)
    if getattr(plugin, "zero_stage", 0) < 3 and not getattr(trainer, "is_fsdp_enabled", False):
        reference = getattr(trainer, "ref_model", None)
        remember_towers([model] if reference is None else [model, trainer.accelerator.unwrap_model(reference)])


def remember_features(extractor: Any) -> RecentResults:
    """Let a feature extractor return what it made of the same waveforms before."""
    kind, kept = type(extractor), RecentResults()

    def call(self: Any, audio: Any, *others: Any, **settings: Any) -> Any:
        if others:
            return kind.__call__(self, audio, *others, **settings)
        key = _digest([*_waveforms(audio), repr(sorted(settings.items(), key=str)).encode()])
        if (known := kept.get(key)) is None:
            known = kind.__call__(self, audio, **settings)
            kept.keep(key, known, sum(value.nbytes for value in known.values() if hasattr(value, "nbytes")))
        return type(known)({name: _copied(value) for name, value in known.items()})

    own = {"__call__": call, "__module__": kind.__module__}  # what is saved names the class as before
    extractor.__class__ = type(kind.__name__, (kind,), own)
    return kept


def remember_towers(models: Iterable[Any]) -> RecentResults | None:
    """Let the audio towers of these models, which are alike and do not learn, encode each clip once.

    None where a tower learns, or is of a kind whose output cannot be told apart by clips.
    """
    towers = [module for model in models for name, module in model.named_modules() if name.split(".")[-1] == TOWER]
    if not towers or any(p.requires_grad for p in towers[0].parameters()) or output_lengths(towers[0]) is None:
        return None
    kept = RecentResults()
    for tower in towers:
        tower.forward = _encoding_once(tower.forward, output_lengths(tower), kept)
    return kept


def output_lengths(tower: Any) -> Callable[[Any], Any] | None:
    """Return the function by which this kind of tower makes the lengths of its output of those of clips."""
    own: Callable[[Any], Any] | None = getattr(tower, "_get_feat_extract_output_lengths", None)
    if own is not None:
        return lambda lengths: own(lengths)[1]
    shared = getattr(sys.modules[type(tower).__module__], "_get_feat_extract_output_lengths", None)
    window = getattr(tower, "n_window", None)
    return None if shared is None or window is None else lambda lengths: shared(lengths, window)


def _encoding_once(encode: Callable[..., Any], lengths_of: Any, kept: RecentResults) -> Callable[..., Any]:
    def forward(input_features: Any = None, feature_lens: Any = None, **others: Any) -> Any:
        import torch

        if input_features is None or feature_lens is None or input_features.dim() != 2:
            return encode(input_features, feature_lens=feature_lens, **others)
        clips = input_features.split(feature_lens.tolist(), dim=1)
        keys = [_digest([clip.contiguous().cpu().float().numpy().tobytes()]) for clip in clips]
        encoded = {key: kept.get(key) for key in keys}
        missing = {key: clip for key, clip in zip(keys, clips, strict=True) if encoded[key] is None}
        output = None
        if missing:
            frames = feature_lens.new_tensor([clip.shape[1] for clip in missing.values()])
            own = {"aftercnn_lens": (frames - 1) // 2 + 1} if "aftercnn_lens" in others else {}
            output = encode(torch.cat(list(missing.values()), dim=1), feature_lens=frames, **{**others, **own})
            tokens = lengths_of(frames).tolist()
            if sum(tokens) != output.last_hidden_state.shape[0]:
                return encode(input_features, feature_lens=feature_lens, **others)
            for key, part in zip(missing, output.last_hidden_state.detach().split(tokens), strict=True):
                encoded[key] = part
                kept.keep(key, part, part.nbytes)
        result = torch.cat([encoded[key] for key in keys])
        if output is None:
            from transformers.modeling_outputs import BaseModelOutputWithPooling

            return BaseModelOutputWithPooling(last_hidden_state=result)
        output.last_hidden_state = result
        return output

    return forward


def _waveforms(audio: Any) -> Sequence[bytes]:
    import numpy

    parts = audio if isinstance(audio, list | tuple) else [audio]
    return [part for one in parts for part in (repr(numpy.shape(one)).encode(), numpy.asarray(one).tobytes())]


def _copied(value: Any) -> Any:
    return value.copy() if hasattr(value, "copy") else value.clone() if hasattr(value, "clone") else value


def _digest(parts: Sequence[bytes]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.digest()
