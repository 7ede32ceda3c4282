"""What it costs the model in the box to answer its benchmark with transformers, heard and unheard; printed.

The bar is a minute of one core for both runs and 60 questions with a chain of thought, the model loaded once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engines import apart, need

ASKED: Sequence[Mapping[str, Any]] = ({}, {"audio": "shuffle"}, {"answer": "think", "limit": 60})


def test_what_the_model_in_the_box_costs(tmp_path: Path) -> None:
    need("transformers")
    shared = {"model": "mini", "backend": "local", "tasks": ["mini"], "out": str(tmp_path / "run")}
    told = json.loads(apart("held", given=json.dumps([{**shared, **one} for one in ASKED])))
    assert told["codes"] == [0] * len(ASKED)
    print(f"\nmini with transformers, 600 questions heard, 600 unheard, 60 chains: {told['seconds']:.1f} s of CPU")
