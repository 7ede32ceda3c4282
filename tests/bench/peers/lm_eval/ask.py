"""lm-eval on the made-up questions: `ask.py OUT cli` as its users start it, `OUT own` without its task index."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lm_eval.models  # noqa: F401 - before any registration, which else hides the built-in models
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

HERE = Path(__file__).parent
ANSWER = Path("answer.txt").read_text(encoding="utf-8")


class AtOnce(LM):  # type: ignore[misc]
    """Answers everything with the same chain, without a delay."""

    @classmethod
    def create_from_arg_obj(cls, arg_dict: Mapping[str, Any], additional_config: object = None) -> AtOnce:
        return cls()

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        return [ANSWER] * len(requests)

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        raise NotImplementedError

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        raise NotImplementedError


def by_command_line(out: str) -> None:
    """What `lm_eval run` does, with our model known to it."""
    from lm_eval.__main__ import cli_evaluate

    sys.argv = ["lm_eval", *f"run --model at-once --tasks made_up --output_path {out} --log_samples".split()]
    sys.argv += ["--include_path", str(HERE)]
    cli_evaluate()


def without_index(out: str) -> None:
    """The same through its Python interface, with no task known but ours."""
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    tasks = TaskManager(include_path=str(HERE), include_defaults=False)
    tracker = EvaluationTracker(output_path=out)
    results = simple_evaluate(AtOnce(), tasks=["made_up"], task_manager=tasks, evaluation_tracker=tracker)
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    tracker.save_results_samples(task_name="made_up", samples=samples["made_up"])


if __name__ == "__main__":
    register_model("at-once")(AtOnce)
    {"cli": by_command_line, "own": without_index}[sys.argv[2]](sys.argv[1])
