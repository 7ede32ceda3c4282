"""A template for Qwen2-Audio with a placeholder for each piece of a clip, as the processor writes them.

ms-swift's own writes one for a whole clip and leaves it to the model to split it. With rollouts by transformers, that
goes wrong after the first token: the answers are not those of the model that learns (divergence 0.2 with random
weights). vLLM splits the placeholder itself, and gets one as before.
"""

from __future__ import annotations

from typing import Any

NAME = "qwen2_audio"
PLACEHOLDER = "<|AUDIO|>"


def register_template() -> None:
    """Replace ms-swift's template."""
    from swift.template import TEMPLATE_MAPPING

    entry = TEMPLATE_MAPPING[NAME]
    entry.template_cls = _expanding(entry.template_cls)


def _expanding(base: Any) -> Any:
    class Expanding(base):  # type: ignore[misc]
        """Writes one placeholder for each piece of a clip."""

        def _encode(self, inputs: Any) -> dict[str, Any]:
            encoded: dict[str, Any] = super()._encode(inputs)
            if (mask := encoded.get("feature_attention_mask")) is None:
                return encoded
            (token,) = self._tokenize(PLACEHOLDER)
            places = [place for place, one in enumerate(encoded["input_ids"]) if one == token]
            tokens = [[token] * audio_token_count(int(frames)) for frames in mask.sum(-1)]
            names = ("input_ids", "labels", "loss_scale")
            expanded = self._extend_tokens(*(encoded.get(name) for name in names), places, tokens.__getitem__)
            return {**encoded, **dict(zip(names, expanded, strict=True))}

    return Expanding


def audio_token_count(frames: int) -> int:
    """Return the tokens that so many frames become: a convolution halves them, rounded up, and a mean again, down."""
    return (frames + 1) // 2 // 2
