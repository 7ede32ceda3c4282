"""What it costs the model in the box to answer its benchmark with transformers, heard and unheard; printed.

The bar is a minute of one core for both runs and a tenth of the questions with a chain of thought; two cores share it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines import apart, need

ASKED: Mapping[str, Mapping[str, Any]] = {
    "heard": {},
    "with the clips of others": {"audio": "shuffle"},
    "thinking, 60 questions": {"answer": "think", "limit": 60},
}


def test_what_the_model_in_the_box_costs(tmp_path: Path) -> None:
    need("transformers")
    shared = {"model": "mini", "backend": "local", "tasks": ["mini"]}
    whole = 0.0
    for name, one in ASKED.items():
        told = json.loads(apart("held", given=json.dumps([{**shared, **one, "out": str(tmp_path / name)}])))
        assert told["codes"] == [0]
        whole += told["seconds"]
        print(f"\nmini with transformers, {name}: {told['seconds']:.1f} s of CPU, its start included")
    print(f"\nmini with transformers, all of it: {whole:.1f} s of CPU")
