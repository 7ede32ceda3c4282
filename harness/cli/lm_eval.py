"""`dtbench lm-eval`: lm-eval's own command line, with our model and our benchmarks in it."""

from __future__ import annotations

import typer

CONTEXT = {"ignore_unknown_options": True, "allow_extra_args": True}
"""All that follows is lm-eval's."""


def command(context: typer.Context) -> None:
    """What follows is lm-eval's own, as in `dtbench lm-eval --model dtbench --model_args pretrained=CKPT --tasks
    dtbench_mini`; `lm_eval run --help` lists it.
    """
    from dtbench.harness.lm_eval.plug import call_lm_eval

    call_lm_eval(context.args)
