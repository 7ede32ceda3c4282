"""Every probe that loads a model, in one process that imports torch once; prints JSON.

Commands that are killed run in forks of it, which need no second import: with one thread, torch may be forked.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import planted_layers
import torch
from command import call
from planted_checkpoints import everything, planted

PROMPT = "{question}\n{options}\ndescribe the audio in think tags then write how ."
TORN = b'{"swap": "a", "key": "mini/'


def progress(out: Path) -> int:
    """How much of a probe is on disk: lines, and files of its work."""
    lines = sum(path.read_bytes().count(b"\n") for path in out.glob("*.jsonl"))
    return lines + sum(len(files) for _, _, files in os.walk(out / "states-work"))


def forked(words: Sequence[str], out: Path, kill_at: float = float("inf")) -> tuple[int, int]:
    """Run a command in a fork and kill it once so much is on disk; how it ended, and the most that was there."""
    child = os.fork()
    if not child:
        os._exit(call(*words, "--out", out).code)
    most = 0
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        most = max(most, progress(out))
        if most >= kill_at:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(ended[1]), most


def killed(words: Sequence[str], home: Path, shares: Sequence[float], torn: str) -> dict[str, Any]:
    """A command that nobody disturbs, and one that is killed at these shares of it before it may end."""
    calm, disturbed = home / "calm", home / "disturbed"
    code, whole = forked(words, calm)
    codes = [code]
    for share in shares:
        codes.append(forked(words, disturbed, share * whole)[0])
        with (disturbed / torn).open("ab") as file:
            file.write(TORN)
    codes.append(forked(words, disturbed)[0])
    return {"codes": codes, "calm": str(calm), "disturbed": str(disturbed)}


def main() -> None:
    torch.set_num_threads(1)
    home = Path(sys.argv[1])
    (home / "words.txt").write_text(PROMPT)
    same = str(planted(home / "same", lambda weights: None, 3))
    changed = str(planted(home / "changed", everything))
    asked = ["--tasks", "mini", "--limit", "2", "--prompt", str(home / "words.txt")]
    states = ["probe", "states", "mini", changed, *asked]
    lens = ["probe", "lens", "mini", changed, "--control", same, *asked, "--patch", "1", "--text", "reference"]
    kept = [*states, "--json", "--control", same, "--forced-only", "--parts", "router,experts,attention"]
    kept += ["--out", str(home / "kept")]
    commands = {"changed": kept, "again": kept, "other limit": [*kept, "--limit", "3"]}
    outside, shares = [*states, "--parts", "outside"], (0.1, 0.45, 0.8)
    found: dict[str, Any] = {
        "states": {name: call(*words) for name, words in commands.items()},
        "killed states": killed(outside, home / "states", shares, "states-swaps.jsonl"),
        "killed lens": killed(lens, home / "lens", (0.6,), "lens.jsonl"),
    }
    print(json.dumps({**found, "lens": planted_layers.found(home / "layers")}))


if __name__ == "__main__":
    main()
