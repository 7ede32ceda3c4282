"""Examples as tensors, and the forward pass over them: several times faster than the classes of transformers.

A clip stands once, followed by all examples about it, none of which attends to another. Clips are of one length. A test
compares the forward pass with what transformers computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dtbench.training.mini.architecture import FRAMES_A_CHUNK, TOKENS_A_CHUNK
from dtbench.training.mini.examples import TrainingExample
from dtbench.training.mini.language import NUMBERS, ROLES, encode

CLIP_TOKENS = 4 * TOKENS_A_CHUNK
_CLIP = [NUMBERS[ROLES[role]] for role in ("audio_bos_token", "audio_token", "audio_eos_token")]
PREFIX: Sequence[int] = (*encode("<|im_start|> user"), _CLIP[0], *[_CLIP[1]] * CLIP_TOKENS, _CLIP[2])
"""The tokens before an example about a clip."""
CLIP_START = 3
"""The index of the first token of the clip."""
_ROUND = 16


class ExampleBatch(NamedTuple):
    """Examples of several clips, a row each."""

    ids: Any
    positions: Any
    """The position of each token, as if its example were alone after its clip."""
    mask: Any
    """0 where a token attends to another, else -inf."""
    targets: Any
    """The next token; -100 where none is learnt."""


def make_batch(rows: Sequence[Sequence[TrainingExample]]) -> ExampleBatch:
    """Put the examples about each clip into a row that starts with the clip."""
    import torch

    longest = len(PREFIX) + max(sum(len(example.prompt) + len(example.answer) for example in row) for row in rows)
    length = -(-longest // _ROUND) * _ROUND
    shape = (len(rows), length)
    ids, positions = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    targets, part = torch.full(shape, -100), torch.full(shape, -1)
    has_clip = torch.zeros(shape, dtype=torch.bool)
    first = len(PREFIX)
    for row, examples in enumerate(rows):
        ids[row, :first] = torch.tensor(PREFIX)
        positions[row, :first] = torch.arange(first)
        part[row, :first] = 0
        start = first
        for number, example in enumerate(examples, 1):
            tokens = [*example.prompt, *example.answer]
            end, answer = start + len(tokens), start + len(example.prompt)
            ids[row, start:end] = torch.tensor(tokens)
            positions[row, start:end] = torch.arange(len(tokens)) + (first if example.has_clip else 0)
            targets[row, answer - 1 : end - 1] = torch.tensor(example.answer)
            part[row, start:end] = number
            has_clip[row, start:end] = example.has_clip
            start = end
    same = part[:, :, None] == part[:, None, :]
    clip = (part[:, None, :] == 0) & has_clip[:, :, None]
    attended = (same | clip) & torch.ones(length, length, dtype=torch.bool).tril()
    mask = torch.zeros(attended.shape).masked_fill(~attended, float("-inf"))[:, None]
    return ExampleBatch(ids, positions, mask, targets)


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


def hidden_states(thinker: Any, features: Any, examples: ExampleBatch) -> Any:
    """Return the last hidden states of the tokens of clip and examples."""
    return text_states(thinker, audio_states(thinker.audio_tower, features), examples)


def text_states(thinker: Any, clips: Any, examples: ExampleBatch) -> Any:
    """Return the same from the states of the audio tower."""
    import torch

    embedded = thinker.get_input_embeddings()(examples.ids)
    whole = torch.cat([embedded[:, :CLIP_START], clips.to(embedded.dtype), embedded[:, CLIP_START + CLIP_TOKENS :]], 1)
    positions = examples.positions[None].expand(3, -1, -1)
    return thinker.model(
        inputs_embeds=whole, attention_mask=examples.mask, position_ids=positions, use_cache=False
    ).last_hidden_state
