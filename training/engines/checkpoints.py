"""Checkpoints of an engine: find the whole ones, and export one as a plain model folder."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from dtbench.harness.core.errors import MachineryError
from dtbench.models.checkpoints import hub
from dtbench.models.checkpoints.tensors import safetensors_header
from dtbench.training.engines.contract import LOG

_PREFIX = "checkpoint-"
_STATE = "trainer_state.json"
"""The file that transformers writes last."""
_TRACKER = "latest_checkpointed_iteration.txt"
"""Megatron's mark, which stands there before the weights of the hub's form are written."""
_AFTER_WEIGHTS = ("config.json", "tokenizer_config.json")
"""What ms-swift writes last beside Megatron's mark."""
_INDEX = "*.safetensors.index.json"
_ITERATION = re.compile(rb'"iteration": "\d+/(\d+)"')
_MODEL_FILES = ("*.safetensors", "*.safetensors.index.json", "*.jinja", "*.json", "*.txt", "*.model", "spk_dict.pt")
"""With the voices of Qwen2.5-Omni, without which its class does not load, though it only answers in text."""
_TRAINER_FILES = {_STATE, "args.json", _TRACKER}


def checkpoint_step(checkpoint: Path) -> int:
    """Return the step after which a checkpoint was written."""
    return int(checkpoint.name.removeprefix(_PREFIX))


def whole_checkpoints(engine: Path) -> list[Path]:
    """Return the complete checkpoints, the last first."""
    numbered = (path for path in engine.glob(f"{_PREFIX}*") if path.name.removeprefix(_PREFIX).isdigit())
    return sorted(filter(is_whole_checkpoint, numbered), key=checkpoint_step, reverse=True)


def is_whole_checkpoint(checkpoint: Path) -> bool:
    """Return whether the engine finished it: every file of weights is there, and as long as its header says."""
    finished = [_STATE] if (checkpoint / _STATE).exists() else [_TRACKER, *_AFTER_WEIGHTS]
    weights = list(checkpoint.glob("*.safetensors"))
    if not weights or not all(_readable(checkpoint / name) for name in finished):
        return False
    return _has_all_shards(checkpoint, weights) and all(_has_full_length(file) for file in weights)


def _has_all_shards(checkpoint: Path, weights: Sequence[Path]) -> bool:
    """Return whether there are just the shards of the index, each with its tensors; one file alone has no index."""
    shards = {file.name for file in weights if "-of-" in file.name}
    indexed: dict[str, set[str]] = {}
    for index in checkpoint.glob(_INDEX):
        try:
            for tensor, shard in json.loads(index.read_bytes())["weight_map"].items():
                indexed.setdefault(shard, set()).add(tensor)
        except (OSError, ValueError, KeyError, AttributeError):
            return False
    if not shards <= indexed.keys():
        return False
    try:
        return all(tensors <= safetensors_header(checkpoint / shard)[0].keys() for shard, tensors in indexed.items())
    except (OSError, ValueError):
        return False


def is_final_checkpoint(checkpoint: Path, steps: int | None) -> bool:
    """Return whether training ends with it: by the recipe's steps, or by the steps that the trainer made of epochs.

    Transformers says the latter in the checkpoint, Megatron in its log alone.
    """
    if steps is not None:
        return checkpoint_step(checkpoint) >= steps
    try:
        if not (checkpoint / _STATE).exists():
            made = _ITERATION.findall((checkpoint.parent / LOG).read_bytes())
            return bool(made) and checkpoint_step(checkpoint) >= int(made[-1]) > 0
        state = json.loads((checkpoint / _STATE).read_bytes())
        return 0 < int(state["max_steps"]) <= int(state["global_step"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def remove_torn_checkpoints(engine: Path) -> list[str]:
    """Remove checkpoints that a killed process left incomplete; return their names."""
    complete = set(whole_checkpoints(engine))
    torn = [path for path in engine.glob(f"{_PREFIX}*") if path.is_dir() and path not in complete]
    for path in torn:
        shutil.rmtree(path)
    return [path.name for path in torn]


def _readable(path: Path) -> bool:
    try:
        text = path.read_text()
        return path.suffix != ".json" or isinstance(json.loads(text), dict)
    except (OSError, ValueError):
        return False


def _has_full_length(file: Path) -> bool:
    try:
        tensors, start = safetensors_header(file)
        ends = (int(about["data_offsets"][1]) for about in tensors.values())
        return file.stat().st_size == start + max(ends, default=0)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def export_model(checkpoint: Path, model: Path) -> None:
    """Make a plain model folder of a checkpoint: weights, configuration, tokenizer and processor.

    Files are linked where the disk allows it. The folder appears complete or not at all.
    """
    temporary = model.with_name(f".{model.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for file in (file for pattern in _MODEL_FILES for file in checkpoint.glob(pattern)):
        target = temporary / file.name
        if file.name in _TRAINER_FILES or target.exists():
            continue
        try:
            target.hardlink_to(file)
        except OSError:
            shutil.copyfile(file, target)
    for required in ("config.json", "tokenizer_config.json"):
        if not (temporary / required).is_file():
            raise MachineryError(f"{checkpoint}: there is no {required} in it, so it is no model folder.")
    shutil.rmtree(model, ignore_errors=True)
    temporary.rename(model)


def tensor_shapes(model: Path) -> Mapping[str, tuple[int, ...]]:
    """Return the shape of each tensor of a model folder."""
    tensors: dict[str, tuple[int, ...]] = {}
    for file in model.glob("*.safetensors"):
        tensors |= {name: tuple(about["shape"]) for name, about in safetensors_header(file)[0].items()}
    return tensors


def refuse_other_shapes(before: str, after: Path) -> None:
    """Refuse a model whose tensors differ from those it started from, where these are here."""
    folder = Path(before) if Path(before).is_dir() else hub.cached_snapshot(before)
    if folder is None:
        return
    expected, actual = tensor_shapes(folder), tensor_shapes(after)
    differing = [name for name in expected.keys() & actual.keys() if expected[name] != actual[name]]
    lost = [name for name in expected if name not in actual and name.split(".")[0] not in {"talker", "code2wav"}]
    if differing or lost:
        names = ", ".join(sorted([*differing, *lost])[:3])
        raise MachineryError(f"{after}: {len(differing) + len(lost)} tensors are not those of {before}: {names}, ...")
