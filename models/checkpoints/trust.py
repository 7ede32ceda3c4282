"""Refuse what could run code of a checkpoint here: modules of its repository, and weights that are pickles.

Neither is taken without a setting of the user's own (`-M trust_remote_code=true`, `-M weights=pickle`); what a family
needs does not stand for it, for whoever names a family has not read the code of its releases.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from dtbench.harness.core.errors import UserError
from dtbench.models.checkpoints.tensors import ADAPTER_FILES, WEIGHTS

WEIGHT_KINDS = ("safetensors", "pickle")
"""What `-M weights` takes."""
CODE_RISK = "that code would run on this machine with your rights"
PICKLE_RISK = "a pickle can run any code on this machine with your rights when it is read"
_TRUST = "Read it, and add -M trust_remote_code=true where you trust it"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_NO_WEIGHTS = {"training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "spk_dict.pt"}
"""Pickles beside weights, which nothing here reads."""
_GENERATION = Path("custom_generate", "generate.py")


def names_code(folder: Path) -> bool:
    """Whether a checkpoint names code of a repository, as transformers looks for it: auto_map, custom_generate."""
    return (folder / _GENERATION).is_file() or any(map(_has_auto_map, sorted(folder.glob("*.json"))))


def _has_auto_map(file: Path) -> bool:
    try:
        content = file.read_bytes()
        fields = json.loads(content) if b"auto_map" in content else None
    except (OSError, ValueError):  # whoever loads the checkpoint says what is wrong with it
        return False
    return isinstance(fields, dict) and bool(fields.get("auto_map"))


def code_refusal(source: str) -> str:
    """Say that a checkpoint brings code of its own, what that may do, and how it is allowed."""
    return (
        f"--model {source}: it needs code of its repository (auto_map), and {CODE_RISK}. {_TRUST}; "
        "-M revision=COMMIT holds it to what you have read."
    )


def pickled_weights(folder: Path) -> Sequence[str]:
    """List the weights of a folder that are pickles; none where it has safetensors, which are taken instead."""
    names = {path.name for path in folder.glob(WEIGHTS)}
    if names - {*ADAPTER_FILES}:
        return []
    found = {path.name for pattern in _PICKLES for path in folder.glob(pattern)}
    return sorted(found - {*_NO_WEIGHTS, *ADAPTER_FILES})


def pickled_adapter(folder: Path) -> Sequence[str]:
    """List the weights of an adapter that are a pickle; none where it has safetensors."""
    safe, pickle = ADAPTER_FILES[:2]
    return [pickle] if (folder / pickle).is_file() and not (folder / safe).is_file() else []


def refuse_pickles(folder: Path, names: Sequence[str]) -> None:
    """Raise a UserError that names the pickles among the weights, what one may do, and how it is allowed."""
    if names:
        more = f" and {len(names) - 1} more" if names[1:] else ""
        raise UserError(
            f"{folder}: its weights are pickles ({names[0]}{more}), and {PICKLE_RISK}. Save them as safetensors, or "
            "add -M weights=pickle where you trust them."
        )
