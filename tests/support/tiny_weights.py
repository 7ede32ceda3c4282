"""Checkpoints of a few tensors made with numpy alone, in the forms in which models and engines write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
LAYERS, EXPERTS, WIDTH, INNER = 4, 4, 64, 32
_TYPES = {
    np.dtype(np.uint16): "BF16",
    np.dtype(np.float16): "F16",
    np.dtype(np.float32): "F32",
    np.dtype(np.int8): "I8",
}


def bfloat16(values: NDArray[Any]) -> NDArray[np.uint16]:
    """Values that bfloat16 has, as its bits."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    assert not (bits & 0xFFFF).any()
    return (bits >> 16).astype(np.uint16)


def on_grid(values: NDArray[Any], bits: int = 8) -> NDArray[np.float32]:
    """The values, rounded to multiples of 2^-bits, so that sums of them are exact."""
    return np.asarray(np.round(values * 2**bits) / 2**bits, dtype=np.float32)


def tiny_model(seed: int = 0, layers: int = LAYERS) -> Arrays:
    """A mixture of experts of the architecture of Qwen3-Omni, with a tower and a talker."""
    draw = np.random.default_rng(seed)

    def weight(*shape: int) -> NDArray[np.float32]:
        return on_grid(draw.normal(0, 0.25, shape))

    tensors: Arrays = {
        "thinker.model.embed_tokens.weight": weight(96, WIDTH),
        "thinker.lm_head.weight": weight(96, WIDTH),
    }
    for layer in range(layers):
        place = f"thinker.model.layers.{layer}"
        for name in ("q", "k", "v", "o"):
            tensors[f"{place}.self_attn.{name}_proj.weight"] = weight(WIDTH, WIDTH)
        tensors[f"{place}.input_layernorm.weight"] = weight(WIDTH)
        tensors[f"{place}.mlp.gate.weight"] = weight(EXPERTS, WIDTH)
        for expert in range(EXPERTS):
            for name, shape in (("gate", (INNER, WIDTH)), ("up", (INNER, WIDTH)), ("down", (WIDTH, INNER))):
                tensors[f"{place}.mlp.experts.{expert}.{name}_proj.weight"] = weight(*shape)
    tensors["thinker.audio_tower.layers.0.fc1.weight"] = weight(WIDTH, WIDTH)
    tensors["thinker.audio_tower.proj1.weight"] = weight(WIDTH, WIDTH)
    tensors["talker.model.layers.0.mlp.gate.weight"] = weight(EXPERTS, WIDTH)
    return tensors


def fused(tensors: Mapping[str, NDArray[Any]], layers: int = LAYERS) -> Arrays:
    """The same model, the experts of a layer in one tensor, as transformers holds them."""
    kept = {name: tensor for name, tensor in tensors.items() if ".experts." not in name}
    for layer in range(layers):
        place = f"thinker.model.layers.{layer}.mlp.experts"
        parts = [
            [tensors[f"{place}.{e}.{name}_proj.weight"] for e in range(EXPERTS)] for name in ("gate", "up", "down")
        ]
        kept[f"{place}.gate_up_proj"] = np.concatenate([np.stack(parts[0]), np.stack(parts[1])], axis=1)
        kept[f"{place}.down_proj"] = np.stack(parts[2])
    return kept


def save_weights(folder: Path, tensors: Mapping[str, NDArray[Any]], shards: int = 1, order: int = 0) -> Path:
    """Write a checkpoint in so many files; `order` mixes the tensors before they are dealt out."""
    names = list(tensors)
    if order:
        np.random.default_rng(order).shuffle(names)
    folder.mkdir(parents=True)
    places: dict[str, str] = {}
    for number in range(shards):
        file = f"model-{number + 1:05}-of-{shards:05}.safetensors" if shards > 1 else "model.safetensors"
        part = names[number::shards]
        write_safetensors(folder / file, {name: tensors[name] for name in part})
        places |= dict.fromkeys(part, file)
    if shards > 1:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


def write_safetensors(file: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write a file of safetensors: a header with places, then the numbers."""
    header, end = {}, 0
    for name, tensor in tensors.items():
        header[name] = {
            "dtype": _TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [end, end + tensor.nbytes],
        }
        end += tensor.nbytes
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with file.open("wb") as data:
        data.write(len(encoded).to_bytes(8, "little") + encoded)
        for tensor in tensors.values():
            data.write(np.ascontiguousarray(tensor).tobytes())


def sparse_checkpoint(folder: Path, shapes: Sequence[tuple[str, tuple[int, ...]]], shard_bytes: int) -> Path:
    """Write a checkpoint in bfloat16 whose numbers are holes of the file system: 0, and no bytes on disk."""
    folder.mkdir(parents=True)
    shards: list[dict[str, Any]] = [{}]
    ends = [0]
    for name, shape in shapes:
        length = 2 * int(np.prod(shape))
        if ends[-1] + length > shard_bytes and shards[-1]:
            shards.append({})
            ends.append(0)
        shards[-1][name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [ends[-1], ends[-1] + length]}
        ends[-1] += length
    places: dict[str, str] = {}
    for number, (header, end) in enumerate(zip(shards, ends, strict=True), 1):
        file = folder / f"model-{number:05}-of-{len(shards):05}.safetensors"
        encoded = json.dumps(header).encode()
        encoded += b" " * (-len(encoded) % 8)
        with file.open("wb") as data:
            data.write(len(encoded).to_bytes(8, "little") + encoded)
            data.truncate(8 + len(encoded) + end)
        places |= dict.fromkeys(header, file.name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


def poke(folder: Path, name: str, values: NDArray[np.uint16]) -> None:
    """Write numbers over the first of a tensor of a checkpoint in bfloat16."""
    for file in folder.glob("*.safetensors"):
        with file.open("r+b") as data:
            length = int.from_bytes(data.read(8), "little")
            header = json.loads(data.read(length))
            if name in header:
                data.seek(8 + length + header[name]["data_offsets"][0])
                data.write(values.tobytes())


def qwen3_omni_shapes(
    layers: int = 48, experts: int = 128, vocabulary: int = 152_064
) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the thinker of Qwen3-Omni-30B-A3B, in the order of its files: 30 billion weights of text."""
    width, inner, heads = 2048, 768, 4096
    shapes: list[tuple[str, tuple[int, ...]]] = []
    for layer in range(32 if layers == 48 else 1):
        place = f"thinker.audio_tower.layers.{layer}"
        shapes += [(f"{place}.self_attn.{name}_proj.weight", (1280, 1280)) for name in ("k", "q", "v", "out")]
        shapes += [(f"{place}.fc1.weight", (5120, 1280)), (f"{place}.fc2.weight", (1280, 5120))]
    shapes += [("thinker.audio_tower.proj1.weight", (1280, 1280)), ("thinker.audio_tower.proj2.weight", (2048, 1280))]
    shapes.append(("thinker.model.embed_tokens.weight", (vocabulary, width)))
    for layer in range(layers):
        place = f"thinker.model.layers.{layer}"
        shapes += [(f"{place}.{name}_layernorm.weight", (width,)) for name in ("input", "post_attention")]
        shapes += [(f"{place}.self_attn.{name}_norm.weight", (128,)) for name in ("q", "k")]
        shapes += [
            (f"{place}.self_attn.q_proj.weight", (heads, width)),
            (f"{place}.self_attn.o_proj.weight", (width, heads)),
        ]
        shapes += [(f"{place}.self_attn.{name}_proj.weight", (512, width)) for name in ("k", "v")]
        shapes.append((f"{place}.mlp.gate.weight", (experts, width)))
        for expert in range(experts):
            inside = f"{place}.mlp.experts.{expert}"
            shapes += [(f"{inside}.{name}_proj.weight", (inner, width)) for name in ("gate", "up")]
            shapes.append((f"{inside}.down_proj.weight", (width, inner)))
    return [*shapes, ("thinker.model.norm.weight", (width,)), ("thinker.lm_head.weight", (vocabulary, width))]
