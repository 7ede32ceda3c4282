"""All benchmarks of dtbench in lm-eval, by `dtbench lm-eval`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from command import process
from engines import need
from lm_eval_command import Files, files_of
from small_data import mmar_v2_folder, mmau_json_folder, mmsu_parquet

from dtbench.harness.core.errors import UserError

pytestmark = pytest.mark.engine

NAMES = ("mmar", "mmau-mini", "mmsu", "mini")
LIMIT = 6


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("lm_eval")
    return tmp_path_factory.mktemp("lm-eval-benchmarks")


@pytest.fixture(scope="module")
def gold(home: Path) -> Files:
    """What `dtbench lm-eval` leaves of the right answers, asked for with a chain; all is named by its name."""
    mmar_v2_folder(home / "data" / "mmar")
    mmau_json_folder(home / "data" / "mmau-mini")
    mmsu_parquet(home / "data" / "mmsu")
    done = process(
        *("lm-eval", "--model", "dtbench", "--model_args", "pretrained=echo-gold", "--limit", str(LIMIT)),
        *("--tasks", ",".join(map(task_of, NAMES)), "--metadata", f"data_dir={home / 'data'}", "answer=think"),
        *("--output_path", home / "gold", "--log_samples"),
        HF_HUB_OFFLINE="1",
        HF_HOME=str(home / "hub"),
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
    asked = "think and answer ." if name == "mini" else "<think>"
    for line in gold.lines[task_of(name)]:
        assert asked in line["arguments"]["gen_args_0"]["arg_0"]


def test_the_results_name_the_data(gold: Files) -> None:
    told: Mapping[str, Any] = gold.results["config"]["dtbench_data"]
    assert set(told) == set(NAMES)
    assert told["mmar"].startswith("v2-github, sha256 ")


def test_likelihoods_are_refused_in_one_line() -> None:
    need("lm_eval")
    from dtbench.harness.lm_eval.model import DtbenchLM

    model = DtbenchLM(pretrained="first")
    for asked in (model.loglikelihood, model.loglikelihood_rolling):
        with pytest.raises(UserError, match="computes no likelihoods: choose tasks whose output_type is"):
            asked([])


def test_a_model_has_to_be_named() -> None:
    need("lm_eval")
    from dtbench.harness.lm_eval.model import DtbenchLM

    with pytest.raises(UserError, match=r"pretrained=... is missing: a checkpoint, the URL of an endpoint"):
        DtbenchLM()
