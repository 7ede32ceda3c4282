"""Folders in the layout that vLLM reads, where a checkpoint or its adapter is saved in another one.

- An adapter beside the weights would be read as weights: it is left out of a folder of links, and served beside them.
- A thinker saved alone, as most trainers save Qwen-Omni, has a configuration that vLLM does not know: it is wrapped in
  that of the whole model. The tensors of Qwen2.5-Omni need the prefix of the whole model too, so their files are
  copied; vLLM knows those of a Qwen3-Omni thinker, which are linked.
- vLLM passes over tensors of an adapter whose names it does not know, without a word: they get those of the base's
  files, which it has to know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Notify
from dtbench.models.checkpoints.adapters import CONFIG, Adapter, Change, match_targets, read_changes, rename_adapter
from dtbench.models.checkpoints.checkpoint import Checkpoint, adapter_inside
from dtbench.models.checkpoints.hub import fetch
from dtbench.models.checkpoints.merge import link_others
from dtbench.models.checkpoints.prepare import in_a_thread, merged_checkpoint, prepare_folder
from dtbench.models.checkpoints.tensors import ADAPTER_FILES, WEIGHTS, checkpoint_tensors, copy_renamed

ADAPTER = "adapter"
"""The name under which an engine serves an adapter."""
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as --max-lora-rank."""


class _Whole(NamedTuple):
    """The model that a thinker is a part of."""

    architecture: str
    model_type: str
    prefix: str
    """What vLLM misses in front of the names of the tensors."""


_THINKERS = {
    "Qwen2_5OmniThinkerForConditionalGeneration": _Whole("Qwen2_5OmniModel", "qwen2_5_omni", "thinker."),
    "Qwen3OmniMoeThinkerForConditionalGeneration": _Whole("Qwen3OmniMoeForConditionalGeneration", "qwen3_omni_moe", ""),
}


class EngineFolders(NamedTuple):
    """What an engine is started with."""

    source: str
    """A folder, or a hub id."""
    flags: Mapping[str, str | bool]
    """Those of `vllm serve` for an adapter that is applied beside it."""


async def engine_folders(checkpoint: Checkpoint, notify: Notify) -> EngineFolders:
    """Return the folders of a checkpoint in vLLM's layout; those that are not there are made."""
    return await in_a_thread(_folders, checkpoint, notify)


def _folders(checkpoint: Checkpoint, notify: Notify) -> EngineFolders:
    checkpoint = merged_checkpoint(checkpoint, notify)
    adapter, whole = checkpoint.adapter, _THINKERS.get(checkpoint.architecture or "")
    if adapter is None and whole is None:
        return EngineFolders(checkpoint.source, {})
    source = fetch(checkpoint.source, notify)
    if adapter is not None and adapter.inside:
        adapter = adapter_inside(source, checkpoint.family)
    checkpoint._replace(source=str(source), adapter=adapter).refuse_pickles()
    content = checkpoint._replace(source=str(source)).content_hash()
    if whole is not None:
        size = sum(path.stat().st_size for path in source.glob(WEIGHTS)) if whole.prefix else 0
        key = f"whole {content}"
        source = prepare_folder(f"{source.name}-whole", key, lambda new: _write_whole(source, whole, new), size, notify)
    elif any((source / name).exists() for name in ADAPTER_FILES):
        source = prepare_folder(
            f"{source.name}-weights", f"weights {content}", lambda new: link_others(source, new, set()), 0, notify
        )
    if adapter is None:
        return EngineFolders(str(source), {})
    return EngineFolders(str(source), _adapter_flags(source, adapter, f"{content} {adapter.content_hash()}", notify))


def _write_whole(source: Path, whole: _Whole, folder: Path) -> None:
    """Write the whole-model layout of a thinker."""
    config = json.loads((source / "config.json").read_bytes())
    shared = {name: config[name] for name in ("dtype", "torch_dtype", "quantization_config") if name in config}
    inner = {name: value for name, value in config.items() if name != "architectures"}
    about = {"architectures": [whole.architecture], "model_type": whole.model_type, "enable_audio_output": False}
    changed = {source / "config.json"}
    if whole.prefix:
        changed |= {*source.glob(WEIGHTS), *source.glob("*.safetensors.index.json")}
    link_others(source, folder, changed)
    (folder / "config.json").write_text(json.dumps({**about, **shared, "thinker_config": inner}, indent=2))
    for file in sorted(changed - {source / "config.json"}):
        if file.suffix == ".json":
            index = json.loads(file.read_bytes())
            index["weight_map"] = {whole.prefix + name: shard for name, shard in index["weight_map"].items()}
            (folder / file.name).write_text(json.dumps(index))
        elif file.name not in ADAPTER_FILES:
            copy_renamed(file, folder / file.name, lambda name: whole.prefix + name)


def _adapter_flags(base: Path, adapter: Adapter, key: str, notify: Notify) -> Mapping[str, str | bool]:
    config, place = adapter.config(), Path(adapter.folder)
    folder = prepare_folder(
        f"{adapter.name}-served", f"served {key}", lambda new: _write_served(base, place, new), 0, notify
    )
    ranks = [int(config.get("r", 8)), *map(int, (config.get("rank_pattern") or {}).values())]
    rank = next((rank for rank in _RANKS if rank >= max(ranks)), max(ranks))
    module = json.dumps({"name": ADAPTER, "path": str(folder)})
    return {"enable_lora": True, "max_lora_rank": str(rank), "lora_modules": module}


def _write_served(base: Path, adapter: Path, folder: Path) -> None:
    """Write an adapter under the names of the base's files, and with the scaling of each module in so many words."""
    targets = match_targets(read_changes(adapter), checkpoint_tensors(base), str(adapter))
    _refuse_unserved(adapter, [target.change for target in targets])
    names = {}
    for change, tensors in targets:
        module = tensors[0].name.removesuffix(".weight").replace(".base_layer", "")
        if change.is_of_experts:
            inside = ".base_layer" if change.module.endswith(".base_layer") else ""
            module = module.partition(".experts.")[0] + ".experts" + inside
        names[change.module] = module
    rename_adapter(adapter, folder, names)
    config: dict[str, Any] = dict(Adapter(str(adapter)).config())
    for pattern in ("rank_pattern", "alpha_pattern"):
        if config.get(pattern):
            config[pattern] = {names[change.module]: change.setting(pattern) for change, _ in targets}
    (folder / CONFIG).write_text(json.dumps(config))


def _refuse_unserved(adapter: Path, changes: Sequence[Change]) -> None:
    for change in changes:
        if "whole" in change.parts or "lora_magnitude_vector" in change.parts or not change.is_of_decoder:
            raise UserError(
                f"{adapter}: vLLM applies factors of the decoder's layers alone, and this adapter changes "
                f"{change.module} otherwise: leave -M adapter_mode=serve out, and it is merged."
            )
