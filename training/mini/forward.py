"""The forward pass of the thinker for many clips of one length: several times faster than the classes of transformers.

A test compares it with what those compute.
"""

from __future__ import annotations

from typing import Any

from dtbench.training.mini.architecture import FRAMES_A_CHUNK
from dtbench.training.mini.batches import CLIP_START, CLIP_TOKENS, LessonBatch


def audio_states(tower: Any, features: Any) -> Any:
    """Run the audio tower on features of (clips, bins, frames), a whole number of chunks each."""
    from torch.nn import functional as f

    clips, bins, frames = features.shape
    chunks = features.unflatten(2, (frames // FRAMES_A_CHUNK, FRAMES_A_CHUNK)).transpose(1, 2)
    hidden = chunks.reshape(-1, 1, bins, FRAMES_A_CHUNK)
    for layer in (tower.conv2d1, tower.conv2d2, tower.conv2d3):
        hidden = f.gelu(layer(hidden))
    states = tower.conv_out(hidden.permute(0, 3, 1, 2).flatten(2))
    states = (states + tower.positional_embedding.positional_embedding[: states.shape[1]]).reshape(
        clips, -1, states.shape[2]
    )
    for layer in tower.layers:
        states = states + _attend(layer.self_attn, layer.self_attn_layer_norm(states))
        states = states + layer.fc2(f.gelu(layer.fc1(layer.final_layer_norm(states))))
    return tower.proj2(tower.act(tower.proj1(tower.ln_post(states))))


def _attend(layer: Any, states: Any) -> Any:
    from torch.nn import functional as f

    q, k, v = (
        project(states).unflatten(2, (layer.num_heads, -1)).transpose(1, 2)
        for project in (layer.q_proj, layer.k_proj, layer.v_proj)
    )
    return layer.out_proj(f.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def hidden_states(thinker: Any, features: Any, lessons: LessonBatch) -> Any:
    """Return the last hidden states of the tokens of clip and lessons."""
    return text_states(thinker, audio_states(thinker.audio_tower, features), lessons)


def text_states(thinker: Any, clips: Any, lessons: LessonBatch) -> Any:
    """Return the same from the states of the audio tower."""
    import torch

    embedded = thinker.get_input_embeddings()(lessons.ids)
    whole = torch.cat([embedded[:, :CLIP_START], clips.to(embedded.dtype), embedded[:, CLIP_START + CLIP_TOKENS :]], 1)
    positions = lessons.positions[None].expand(3, -1, -1)
    return thinker.model(
        inputs_embeds=whole, attention_mask=lessons.mask, position_ids=positions, use_cache=False
    ).last_hidden_state
