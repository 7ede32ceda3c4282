"""The thinker's own weights, run on many clips of one length at once: what training needs, and several times faster.

A test holds it to what the classes of transformers compute.
"""

from __future__ import annotations

from typing import Any

from dtbench.training.mini.architecture import FRAMES_A_CHUNK
from dtbench.training.mini.batches import CLIP_PLACE, CLIP_TOKENS, LessonBatch


def hear(ears: Any, features: Any) -> Any:
    """The audio tower on features of (clips, bins, frames), a whole number of chunks each."""
    from torch.nn import functional as f

    clips, bins, frames = features.shape
    chunks = features.unflatten(2, (frames // FRAMES_A_CHUNK, FRAMES_A_CHUNK)).transpose(1, 2)
    seen = chunks.reshape(-1, 1, bins, FRAMES_A_CHUNK)
    for layer in (ears.conv2d1, ears.conv2d2, ears.conv2d3):
        seen = f.gelu(layer(seen))
    told = ears.conv_out(seen.permute(0, 3, 1, 2).flatten(2))
    told = (told + ears.positional_embedding.positional_embedding[: told.shape[1]]).reshape(clips, -1, told.shape[2])
    for layer in ears.layers:
        told = told + _attend(layer.self_attn, layer.self_attn_layer_norm(told))
        told = told + layer.fc2(f.gelu(layer.fc1(layer.final_layer_norm(told))))
    return ears.proj2(ears.act(ears.proj1(ears.ln_post(told))))


def _attend(layer: Any, told: Any) -> Any:
    from torch.nn import functional as f

    q, k, v = (
        project(told).unflatten(2, (layer.num_heads, -1)).transpose(1, 2)
        for project in (layer.q_proj, layer.k_proj, layer.v_proj)
    )
    return layer.out_proj(f.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def understand(thinker: Any, features: Any, lessons: LessonBatch) -> Any:
    """The last hidden states behind clip and lessons."""
    return understand_heard(thinker, hear(thinker.audio_tower, features), lessons)


def understand_heard(thinker: Any, clips: Any, lessons: LessonBatch) -> Any:
    """The same of clips that the audio tower has heard."""
    import torch

    words = thinker.get_input_embeddings()(lessons.ids)
    whole = torch.cat([words[:, :CLIP_PLACE], clips.to(words.dtype), words[:, CLIP_PLACE + CLIP_TOKENS :]], 1)
    places = lessons.places[None].expand(3, -1, -1)
    return thinker.model(
        inputs_embeds=whole, attention_mask=lessons.mask, position_ids=places, use_cache=False
    ).last_hidden_state
