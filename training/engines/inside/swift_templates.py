"""What ms-swift's template for Qwen2-Audio lacks: a placeholder for each piece of a clip, as the processor writes them.

ms-swift writes one for a whole clip and leaves it to the model to part it. Where transformers answers, that goes wrong
after the first token: the answers are not those of the model that learns (divergence 0.2 with random weights). vLLM
parts it by itself, and is given one as before.
"""

from __future__ import annotations

from typing import Any

NAME = "qwen2_audio"
PLACEHOLDER = "<|AUDIO|>"


def register_template() -> None:
    """Put the whole prompt in place of ms-swift's."""
    from swift.template import TEMPLATE_MAPPING

    about = TEMPLATE_MAPPING[NAME]
    about.template_cls = _expanding(about.template_cls)


def _expanding(base: Any) -> Any:
    class Expanding(base):  # type: ignore[misc]
        """One placeholder for each piece of a clip."""

        def _encode(self, inputs: Any) -> dict[str, Any]:
            encoded: dict[str, Any] = super()._encode(inputs)
            if (heard := encoded.get("feature_attention_mask")) is None:
                return encoded
            (token,) = self._tokenize(PLACEHOLDER)
            places = [place for place, one in enumerate(encoded["input_ids"]) if one == token]
            tokens = [[token] * pieces(int(frames)) for frames in heard.sum(-1)]
            names = ("input_ids", "labels", "loss_scale")
            grown = self._extend_tokens(*(encoded.get(name) for name in names), places, tokens.__getitem__)
            return {**encoded, **dict(zip(names, grown, strict=True))}

    return Expanding


def pieces(frames: int) -> int:
    """What the audio tower makes of so many frames: a convolution halves them, rounded up, and a mean again, down."""
    return (frames + 1) // 2 // 2
