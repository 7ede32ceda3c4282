"""`dtbench probe`: look inside a model: its weights, its states, its logits."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import typer

from dtbench.harness.cli.help_pages import HelpCommand
from dtbench.harness.cli.terminal import print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.options import AsJson
from dtbench.harness.probe.lens import LensRequest
from dtbench.harness.probe.states import StatesRequest
from dtbench.harness.probe.weights import ProbeProgress, WeightsRequest

probe_commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_Found = TypeVar("_Found")
PROGRESS_SECONDS = 15.0
"""Between two lines about how far a pass over weights is."""


@probe_commands.callback()
def probe_command() -> None:
    """Look inside a model: what training changed, and where it decides."""


@probe_commands.command(cls=HelpCommand)
@with_options
def weights(request: WeightsRequest, as_json: AsJson = False) -> None:
    """Compare the weights of checkpoints: what changed most, what the optimiser explains, what is lost in bfloat16.

    Every tensor that both have is compared, by kind, layer and expert. Files are read once, by pieces; a model of 30
    billion weights takes less than 1 GB of memory.
    """
    from dtbench.harness.cli.weight_tables import print_probe
    from dtbench.harness.probe.weights import probe_weights

    _show(probe_weights(request, print_note, _reporter()), print_probe, request.out, as_json=as_json)


@probe_commands.command(cls=HelpCommand)
@with_options
def lens(request: LensRequest, as_json: AsJson = False) -> None:
    """Read every layer as if it were the last: where words and answers settle, and where hearing ends.

    The same text is forced on every checkpoint, and the model's own final norm and head are put on each layer. What a
    figure can and cannot say stands in docs/probe.md.
    """
    from dtbench.harness.cli.lens_tables import print_lens
    from dtbench.harness.probe.lens import run_lens

    _show(run_lens(request, print_note), print_lens, request.out, as_json=as_json)


@probe_commands.command(cls=HelpCommand)
@with_options
def states(request: StatesRequest, as_json: AsJson = False) -> None:
    """Compare the states and the routing of two checkpoints at the same tokens, and find the part that matters.

    Both are given the same texts: B's greedy answers, then A's. Then parts of B are put into A, layer by layer, and
    what that does to B's texts and to the answers is measured: it decides between gates and experts. One model is in
    memory at a time; the other's weights and states lie on disk meanwhile, in --out or a temporary folder.
    """
    from dtbench.harness.cli.state_tables import print_states
    from dtbench.harness.probe.states import probe_states

    _show(probe_states(request, print_note), print_states, request.out, as_json=as_json)


def _show(found: _Found, print_found: Callable[[_Found], None], out: Path | None, *, as_json: bool) -> None:
    """Print what a probe found, as JSON or for people, and where it was written."""
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        print_found(found)
    if out is not None:
        print_note(f"written to {out}")


def _reporter() -> Callable[[ProbeProgress], None]:
    """Return what prints on stderr how far a long pass is, now and then."""
    began = shown = time.monotonic()

    def report(progress: ProbeProgress) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown < PROGRESS_SECONDS or not progress.done:
            return
        shown = now
        left = (now - began) * (progress.total - progress.done) / progress.done
        share = f"{progress.done / progress.total:.0%} of {progress.total / 1e9:.2g} GB"
        print_note(f"{share} read, about {left:.0f} s left")
        sys.stderr.flush()

    return report
