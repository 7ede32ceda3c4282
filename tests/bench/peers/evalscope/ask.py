"""evalscope on the made-up questions: `ask.py OUT`, with its own reader of multiple-choice files."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from evalscope import TaskConfig, run_task
from evalscope.api.model import ModelOutput
from evalscope.models.mockllm import MockLLM
from evalscope.utils.multi_choices import MultipleChoiceTemplate

ANSWER = Path("answer.txt").read_text(encoding="utf-8")
IN_FLIGHT = 1


def main(out: str) -> None:
    """Ask all, a folder of logs in `out`."""
    answers = (ModelOutput.from_content(model="at-once", content=ANSWER) for _ in itertools.repeat(None))
    english = {"local_path": "lettered", "prompt_template": MultipleChoiceTemplate.SINGLE_ANSWER_COT}
    run_task(
        TaskConfig(
            model=MockLLM("at-once", custom_outputs=answers),
            model_id="at-once",
            datasets=["general_mcq"],
            dataset_args={"general_mcq": english},
            eval_batch_size=IN_FLIGHT,
            work_dir=out,
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
