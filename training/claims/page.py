"""The page with all tables, claims and chains that the small results hold: docs/claims-tables.md."""

from __future__ import annotations

from collections.abc import Sequence

from dtbench.training.claims.examples import kept_example_lines
from dtbench.training.claims.plan import Experiment
from dtbench.training.claims.results import EXAMPLES
from dtbench.training.claims.table import report_lines
from dtbench.training.claims.verdicts import Kept

_HEAD = """# Two claims: all arms and verdicts

Made by `make claims CLAIMS="--page docs/claims-tables.md"` from the small results of {done} of {planned} trainings, in
`training/claims/results/`. [Two claims, put to the test](claims.md) says what was asked and what it means.
"""


def page_of(experiments: Sequence[Experiment], kept: Kept) -> str:
    """Return the page: each recipe's tables and verdicts, and the same questions as each arm answered them."""
    trainings = [one.layout.root for each in experiments for one in each.trainings.values()]
    lines = [_HEAD.format(done=sum(root in kept for root in trainings), planned=len(trainings))]
    for experiment in experiments:
        lines += [*report_lines(experiment, kept), *kept_example_lines(experiment, kept, EXAMPLES)]
    return "\n".join(lines).rstrip("\n") + "\n"
