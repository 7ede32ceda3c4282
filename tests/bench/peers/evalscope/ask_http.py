"""evalscope over HTTP: `ask_http.py OUT URL words|clips DATA IN_FLIGHT`, with its readers of multiple choice."""

from __future__ import annotations

import sys
from pathlib import Path

from evalscope import TaskConfig, run_task
from evalscope.utils.multi_choices import MultipleChoiceTemplate


def main(out: str, url: str, form: str, data: str, in_flight: str) -> None:
    """Ask all, a folder of logs in `out`."""
    name, folder = ("general_vmcq", "vmcq") if form == "clips" else ("general_mcq", "lettered")
    english = {"local_path": str(Path(data) / folder), "prompt_template": MultipleChoiceTemplate.SINGLE_ANSWER_COT}
    run_task(
        TaskConfig(
            model="tiny",
            api_url=url,
            api_key="none",
            eval_type="openai_api",
            datasets=[name],
            dataset_args={name: english},
            eval_batch_size=int(in_flight),
            generation_config={"temperature": 0.0, "max_tokens": 512},
            work_dir=out,
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
