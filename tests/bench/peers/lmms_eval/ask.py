"""lmms-eval on the made-up questions: `ask.py OUT`, as its users start it, with its own dummy model."""

from __future__ import annotations

import sys
from pathlib import Path

from lmms_eval.__main__ import cli_evaluate

ANSWER = Path("answer.txt").read_text(encoding="utf-8")
HERE = Path(__file__).parent


def main(out: str) -> None:
    """Ask all, the logs in `out`."""
    options = f"--model dummy --tasks made_up --batch_size 1 --log_samples --output_path {out}".split()
    # An option of a model ends at a comma: the answer has none.
    sys.argv = ["lmms-eval", *options, "--include_path", str(HERE), "--model_args", f"response={ANSWER}"]
    cli_evaluate()


if __name__ == "__main__":
    main(sys.argv[1])
