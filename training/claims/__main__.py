"""Train what the claims of recipes take, and print every claim with its verdict; `make claims` calls it."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from dtbench.harness.core.errors import DtbenchError, UserError, one_line
from dtbench.harness.core.output_paths import refuse_no_file
from dtbench.harness.plot.look import picture_bytes
from dtbench.harness.plot.request import FORMATS
from dtbench.harness.run.signals import sigterm_as_interrupt
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.locks import RunLock
from dtbench.training.claims.curves import draw_curves
from dtbench.training.claims.examples import example_lines
from dtbench.training.claims.page import page_of
from dtbench.training.claims.plan import Experiment, default_specs, plan_experiment
from dtbench.training.claims.recount import recount
from dtbench.training.claims.results import EXAMPLES, read_result
from dtbench.training.claims.runner import ClaimsRun
from dtbench.training.claims.table import claim_line, plan_lines, report_lines
from dtbench.training.claims.verdicts import Kept, claim_results

RESULTS = Path(__file__).parent / "results"
"""Where finished arms travel with the repository."""
OUT = Path("results/runs/claims")
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        until = _limit(options.until, options.minutes)
        if options.examples < 0:
            raise UserError(f"--examples {options.examples}: a number of questions is expected, such as 3.")
        if options.curves is not None:
            _ending(options.curves)
        if options.page is not None:
            refuse_no_file("--page", options.page)
        experiments = [plan_experiment(spec, options.out.resolve()) for spec in options.recipes or default_specs()]
        shown = bool(options.table or options.examples or options.curves or options.page or options.recount)
        if options.recount:
            recount(experiments, options.results, _say)
        whole = True if shown else _train(options, experiments, until)
        kept = _kept(experiments, options.results)
        if options.curves is not None or options.page is not None:
            _write(experiments, kept, options)
        else:
            _print(experiments, kept, options)
    except DtbenchError as error:
        print(f"dtbench: {one_line(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("dtbench: stopped; the same command continues where it was", file=sys.stderr)
        return INTERRUPTED
    return 0 if whole else 3


def _train(options: argparse.Namespace, experiments: Sequence[Experiment], until: float | None) -> bool:
    """Train what is left; return whether nothing failed."""
    options.out.mkdir(parents=True, exist_ok=True)
    for experiment in experiments:
        _say(f"{experiment.name}: what each claim can see (in points; of words and criteria in their unit):")
        for line in plan_lines(experiment):
            print(line, file=sys.stderr, flush=True)
    lock = RunLock(options.out.resolve())
    try:
        with sigterm_as_interrupt():
            run = ClaimsRun(experiments, options.results, options.cores, options.engine, until, _say)
            run.run()
    finally:
        lock.close()
    for label, why in run.failed.items():
        _say(f"{label}: failed: {why}")
    return not run.failed


def _kept(experiments: Sequence[Experiment], results: Path) -> Kept:
    """Read every result that fits."""
    trainings = [one for each in experiments for one in (each.base, *each.trainings.values())]
    return {one.layout.root: result for one in trainings if (result := read_result(results, one)) is not None}


def _print(experiments: Sequence[Experiment], kept: Kept, options: argparse.Namespace) -> None:
    """Print all arms and claims; behind a training each claim once more in a line."""
    if options.json:
        print(json.dumps([result for each in experiments for result in claim_results(each, kept)]))
        return
    only_examples = options.examples and not options.table
    for experiment in experiments:
        lines = [] if only_examples else list(report_lines(experiment, kept))
        print("\n".join([*lines, *example_lines(experiment, kept, options.examples or EXAMPLES)]))
    for experiment in () if options.table or only_examples else experiments:
        print("\n".join(claim_line(result) for result in claim_results(experiment, kept)))


def _write(experiments: Sequence[Experiment], kept: Kept, options: argparse.Namespace) -> None:
    """Write the page and the picture that were asked for."""
    if options.page is not None:
        replace_whole(options.page, page_of(experiments, kept).encode())
        _say(f"page {options.page}")
    if options.curves is not None:
        replace_whole(options.curves, picture_bytes(draw_curves(experiments, kept), _ending(options.curves)))
        _say(f"picture {options.curves}")


def _ending(out: Path) -> str:
    """Return the format of a picture; a UserError where it cannot be written."""
    ending = out.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise UserError(f"--curves {out}: a file that ends in {', '.join(f'.{one}' for one in FORMATS)} is expected.")
    refuse_no_file("--curves", out)
    return ending


def _limit(until: str | None, minutes: float | None) -> float | None:
    """Return the time.time() at which to stop; HH:MM is the next such time."""
    if minutes is not None:
        return time.time() + 60 * minutes
    if until is None:
        return None
    now = datetime.now().astimezone()
    try:
        clock = datetime.strptime(until, "%H:%M")  # noqa: DTZ007 - a time of the day here
    except ValueError:
        raise UserError(f"--until {until}: a time such as 18:30 is expected.") from None
    then = now.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return (then if then > now else then + timedelta(days=1)).timestamp()


def _say(line: str) -> None:
    print(f"{datetime.now().astimezone():%H:%M} {line}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dtbench.training.claims", description=__doc__)
    parser.add_argument(
        "recipes", nargs="*", metavar="RECIPE", help="recipes, or TOML files; without one: those made for a claim"
    )
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="folder of the trainings (%(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="folder of the small results")
    parser.add_argument(
        "--cores", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="cores to use (%(default)s)"
    )
    parser.add_argument("--engine", type=Path, metavar="DIR", help="environment in which ms-swift is installed")
    parser.add_argument("--until", metavar="HH:MM", help="stop in good order at this time")
    parser.add_argument("--minutes", type=float, metavar="N", help="stop in good order after so many minutes")
    parser.add_argument("--table", action="store_true", help="train nothing: print what the results say")
    parser.add_argument(
        "--examples", type=int, default=0, metavar="N", help="train nothing: print N answers of each arm word for word"
    )
    parser.add_argument(
        "--page",
        type=Path,
        metavar="FILE",
        help="train nothing: write all tables, verdicts and some answers, such as docs/claims-tables.md",
    )
    parser.add_argument(
        "--curves", type=Path, metavar="FILE", help="train nothing: draw how each arm learnt (.svg, .png or .pdf)"
    )
    parser.add_argument(
        "--recount", action="store_true", help="train nothing: make the small results anew from trainings in --out"
    )
    parser.add_argument("--json", action="store_true", help="print the claims as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
