"""Verdicts that are paid for once: equal questions, restarts, kills, many processes, and what it all cost."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from chains import (
    GOOD,
    OTHER,
    TEXTS,
    completion,
    honest,
    rewarded,
    settings,
)
from chat_server import chatting

from dtbench.training.rewards.cache import Cache


def test_equal_questions_are_asked_once_and_never_again_after_a_restart(tmp_path: Path) -> None:
    with chatting(choose=honest) as chat:
        chosen = settings(chat, cache=tmp_path / "verdicts")
        first = rewarded(chosen, "hybrid", "consistency", texts=TEXTS * 2)
        asked = len(chat.asked)
        second = rewarded(chosen, "hybrid", "consistency", texts=TEXTS * 2)
        assert len(chat.asked) == asked == 3 + 4
        rewarded(dataclasses.replace(chosen, evaluator_seed=7), "hybrid")
        assert len(chat.asked) == asked + 3, "another seed is another question"
    assert first.values == second.values
    assert (first.report.counts["evaluator_cached"], second.report.counts["evaluator_cached"]) == (3, 6)
    assert second.report.counts["evaluator_calls"] == 0


def test_a_killed_process_loses_no_verdict_and_a_torn_line_is_asked_again(tmp_path: Path) -> None:
    with chatting(choose=honest) as chat:
        chosen = settings(chat, cache=tmp_path)
        code = (
            "import json, os, sys\n"
            f"sys.path.insert(0, {str(Path(__file__).parents[2] / 'support')!r})\n"
            "from chains import ROW, GOOD, OTHER, completion\n"
            "from dtbench.training.rewards import Rewards, reward_settings\n"
            "rewards = Rewards(reward_settings(json.loads(sys.argv[1])))\n"
            "rewards.score_batch(['evaluator'], [ROW, ROW], [completion(GOOD), completion(OTHER)])\n"
            "os.kill(os.getpid(), 9)\n"
        )
        done = subprocess.run([sys.executable, "-c", code, json.dumps(chosen.plain())], check=False)
        assert done.returncode == -9
        assert len(chat.asked) == 2
        (file,) = tmp_path.glob("verdicts-*.jsonl")
        file.write_bytes(file.read_bytes()[:-20])
        assert (len(Cache(tmp_path)), Cache(tmp_path).torn) == (1, 1)
        rewarded(chosen, "evaluator", texts=[completion(GOOD), completion(OTHER)])
        assert len(chat.asked) == 3


def test_many_processes_share_a_cache_and_each_reads_what_the_others_wrote(tmp_path: Path) -> None:
    with chatting(choose=honest) as chat:
        chosen = settings(chat, cache=tmp_path)
        children = []
        for text in TEXTS[:2]:
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    code = int(rewarded(chosen, "evaluator", texts=[text]).values["evaluator"][0] == 0)
                finally:
                    os._exit(code)
            children.append(pid)
        assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0]
        assert len(list(tmp_path.glob("verdicts-*.jsonl"))) == 2
        rewarded(chosen, "evaluator", texts=TEXTS[:2])
        assert len(chat.asked) == 2


def test_the_cost_is_told_where_the_recipe_names_prices() -> None:
    with chatting(choose=honest) as chat:
        chosen = settings(chat, price_per_million_prompt_tokens=200.0, price_per_million_completion_tokens=1000.0)
        told = rewarded(chosen, "evaluator").report.as_json(chosen)
        unpriced = settings(chat)
        assert "evaluator_cost" not in rewarded(unpriced, "evaluator").report.as_json(unpriced)
    assert (told["evaluator_prompt_tokens"], told["evaluator_completion_tokens"]) == (21, 9)
    assert told["evaluator_cost"] == pytest.approx((21 * 200 + 9 * 1000) / 1e6)
