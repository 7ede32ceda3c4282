"""All benchmarks of dtbench in lm-eval, by its own command and by `dtbench lm-eval`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from command import call, process
from engines import need
from lm_eval_command import Files, files_of, lm_eval
from lm_eval_tasks import capitals
from small_data import mmar_v2_folder, mmau_json_folder, mmsu_parquet

pytestmark = pytest.mark.engine

NAMES = ("mmar", "mmau-mini", "mmsu", "mini")
LIMIT = 6


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("lm_eval")
    return tmp_path_factory.mktemp("lm-eval-benchmarks")


@pytest.fixture(scope="module")
def gold(home: Path) -> Files:
    """What lm-eval writes of the right answers, asked for with a chain."""
    mmar_v2_folder(home / "data" / "mmar")
    mmau_json_folder(home / "data" / "mmau-mini")
    mmsu_parquet(home / "data" / "mmsu")
    files = call("tasks", ",".join(NAMES), "--lm-eval").out.strip()
    done = lm_eval(
        home,
        *("--model", "dtbench", "--model_args", "pretrained=echo-gold", "--tasks", files, "--limit", str(LIMIT)),
        *("--metadata", f"data_dir={home / 'data'}", "answer=think", "--output_path", home / "gold", "--log_samples"),
    )
    assert done.code == 0, done.err[-2000:]
    return files_of(home / "gold")


def task_of(name: str) -> str:
    return f"dtbench_{name.replace('-', '_')}"


@pytest.mark.parametrize("name", NAMES)
def test_right_answers_score_one_on_every_benchmark(name: str, gold: Files) -> None:
    figures = gold.figures(task_of(name))
    assert (figures["official,none"], figures["strict,none"], figures["unanswered,none"]) == (1.0, 1.0, 0.0)
    assert gold.results["n-samples"][task_of(name)]["effective"] == LIMIT


@pytest.mark.parametrize("name", NAMES)
def test_the_style_of_answer_is_set_by_metadata(name: str, gold: Files) -> None:
    for line in gold.lines[task_of(name)]:
        assert "<think>" in line["arguments"]["gen_args_0"]["arg_0"]


def test_the_results_name_the_data(gold: Files) -> None:
    told: Mapping[str, Any] = gold.results["config"]["dtbench_data"]
    assert set(told) == set(NAMES)
    assert told["mmar"].startswith("v2-github, sha256 ")


def test_dtbench_lm_eval_knows_model_and_tasks_by_name_and_refuses_likelihoods_in_one_line(home: Path) -> None:
    words = capitals(home / "capitals").read_text().replace("generate_until", "multiple_choice")
    head = words.partition("generation_kwargs")[0]
    file = home / "likely.yaml"
    file.write_text(f"{head}doc_to_choice: [Rome, Paris]\nmetric_list:\n  - {{metric: acc}}\n")
    done = process(
        *("lm-eval", "--model", "dtbench", "--model_args", "pretrained=first", "--limit", "2"),
        *("--tasks", f"dtbench_mini,{file}"),
        HF_HUB_OFFLINE="1",
        HF_HOME=str(home / "hub"),
    )
    assert (done.code, done.out) == (2, ""), done.err[-2000:]
    assert "Task: dtbench_mini" in done.err
    last = done.err.splitlines()[-1]
    assert last.startswith("dtbench: the model dtbench answers questions and tells no likelihood of a text"), last
