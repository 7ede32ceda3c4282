"""What a tensor is part of, by its name: which layer, which kind, which expert; of the families that are known here.

Names differ between releases of transformers only in how modules are nested, which `plain_name` leaves out. What no
rule knows is `other`: it is compared as any tensor and shown under that name.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dtbench.models.checkpoints.tensors import plain_name

KINDS = (
    *("attention", "expert", "router", "shared", "mlp", "norm", "embedding", "head"),
    *("projector", "tower", "vision", "talker", "other"),
)
"""In the order of tables: the decoder's kinds first."""
PARTS = ("decoder", "audio", "vision", "talker", "other")
_TALKER = ("talker", "code2wav", "token2wav")
_VISION = ("visual", "vision_tower", "vision_model", "image_newline", "multi_modal_projector_vision")
_AUDIO = ("audio_tower", "audio_encoder", "multi_modal_projector", "audio_projector", "projector")
_PROJECTOR = re.compile(r"(?:audio_tower|audio_encoder)\.(?:proj\d?|multi_modal_projector)\.|(?:\w*_)?projector\.")
_LAYER = re.compile(r"(?:^|\.)(?:layers|blocks|h)\.(\d+)\.")
_EXPERT = re.compile(r"\.experts\.(\d+)\.")
_NORM = re.compile(r"(?:^|[._])(?:norm|layernorm|ln|q_norm|k_norm|norm\d|ln_\w+)\.")
_ROUTER = re.compile(r"\.(?:mlp|block_sparse_moe|feed_forward|moe)\.(?:gate|router)\.")


class TensorPlace(NamedTuple):
    """Where in a model a tensor is."""

    part: str
    """One of PARTS."""
    kind: str
    """One of KINDS."""
    layer: int | None
    """Of its part; None outside of layers."""
    expert: int | None = None
    """None for a tensor of no expert, and for one of all experts."""

    @property
    def is_of_experts(self) -> bool:
        """Whether it is one expert of a layer of the decoder."""
        return self.part == "decoder" and self.expert is not None and self.layer is not None


def place_of(name: str) -> TensorPlace:
    """Return where in a model the tensor of this name is."""
    plain = plain_name(name)
    part = _part(plain)
    layer = int(found[1]) if (found := _LAYER.search(plain)) else None
    expert = int(found[1]) if (found := _EXPERT.search(plain)) else None
    return TensorPlace(part, _kind(plain, part), layer, expert)


def is_router(name: str) -> bool:
    """Return whether a tensor of this name is a router, of the decoder or of any other part."""
    return _ROUTER.search(plain_name(name)) is not None


def _part(plain: str) -> str:
    first = plain.partition(".")[0]
    for part, names in (("talker", _TALKER), ("vision", _VISION), ("audio", _AUDIO)):
        if first in names or first.startswith(tuple(f"{name}_" for name in names)):
            return part
    return "decoder" if first in {"layers", "embed_tokens", "lm_head", "norm", "decoder"} else "other"


def _kind(plain: str, part: str) -> str:
    if part == "audio":
        return "projector" if _PROJECTOR.match(plain) else "tower"
    if part != "decoder":
        return part
    if plain.startswith(("embed_tokens", "lm_head")):
        return "embedding" if plain.startswith("embed_tokens") else "head"
    if _ROUTER.search(plain):
        return "router"
    if ".shared_expert" in plain:
        return "shared"
    if ".experts." in plain:
        return "expert"
    if _NORM.search(plain):
        return "norm"
    if "attn." in plain or ".attention." in plain:
        return "attention"
    return "mlp" if ".mlp." in plain or ".feed_forward." in plain else "other"
