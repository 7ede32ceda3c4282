"""Adapters of several kinds, merged by dtbench and by PEFT: `python -m merged_adapters FOLDER BASES`, as JSON."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from merged_adapter_kinds import KINDS
from peft import PeftModel
from tiny_checkpoints.lora import load, write_adapter

from dtbench.models.checkpoints.merge import merge


def main() -> None:
    """Write, merge and compare each kind, and print what was found."""
    folder, bases = Path(sys.argv[1]), json.loads(sys.argv[2])
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(json.dumps({kind: _compared(kind, Path(bases[base]), folder, more) for kind, (base, more) in KINDS.items()}))


def _compared(kind: str, base: Path, folder: Path, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    place = folder / kind.replace(" ", "-")
    adapter, merged = place / "adapter", place / "merged"
    merged.mkdir(parents=True)
    write_adapter(base, adapter, **settings)
    merge(base, adapter, merged)
    bare, ours = load(base).state_dict(), load(merged).state_dict()
    if settings.get("names") == "release":  # PEFT knows them of the class that they were made with alone
        adapter = folder / kind.partition(" ")[0] / "adapter"
    theirs = PeftModel.from_pretrained(load(base), adapter).merge_and_unload().state_dict()
    return {
        "same names": ours.keys() == theirs.keys(),
        "difference": max(float((ours[name] - theirs[name]).abs().max()) for name in theirs),
        "changed": sum(not torch.equal(bare[name], theirs[name]) for name in theirs),
    }


if __name__ == "__main__":
    main()
