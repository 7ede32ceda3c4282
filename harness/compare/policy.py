"""What a team asks of a candidate, task by task and group by group, in one file: gate.toml.

alpha = 0.05                      # for all that follows
[mmar]
max_drop = 1.0
[mmar."modality=speech"]
max_drop = 3.0
required = false                  # shown, and never decides
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.typed_settings import Condition, between, read_table, read_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is asked of a task or of a group of its questions."""

    max_drop: Annotated[float, between(0, 100)] | None = None
    """Percentage points by which the candidate may be worse; None for what the questions can decide."""
    alpha: Annotated[float, Condition(lambda chance: 0 < chance < 0.5, "a chance above 0 and below 0.5")] | None = None
    required: bool = True
    """Whether its verdict decides."""

    def or_else(self, other: Rule) -> Rule:
        """Return the same rule, with the other's values where it has none."""
        return Rule(
            max_drop=other.max_drop if self.max_drop is None else self.max_drop,
            alpha=other.alpha if self.alpha is None else self.alpha,
            required=self.required,
        )


Policy = Mapping[tuple[str, str | None], Rule]
"""Task and group -> what is asked of it; the group is None for all questions of the task."""


def read_policy(path: Path) -> Policy:
    """Read a policy file; a UserError that names the table where something is wrong."""
    tables = read_toml(path)
    shared = {name: value for name, value in tables.items() if not isinstance(value, dict)}
    usual = read_table(Rule, shared, f"--policy {path}")
    rules: dict[tuple[str, str | None], Rule] = {}
    for task, table in tables.items():
        if isinstance(table, dict):
            groups = {name: value for name, value in table.items() if isinstance(value, dict)}
            own = {name: value for name, value in table.items() if name not in groups}
            rules[task, None] = _rule(path, task, own).or_else(usual)
            for group, fields in groups.items():
                rules[task, group] = _rule(path, f"{task}.{group!r}", fields).or_else(usual)
    if not rules:
        raise UserError(f"--policy {path}: no task is named; a task begins with a line such as [mmar].")
    return rules


def _rule(path: Path, name: str, table: Mapping[str, Any]) -> Rule:
    return read_table(Rule, table, f"--policy {path}: [{name}]")


def refuse_unmet(policy: Policy, path: Path, groups_of_tasks: Mapping[str, Sequence[str]]) -> None:
    """Raise a UserError for a task or a group of a policy that the runs do not have, unless it is not required."""
    for (task, group), rule in policy.items():
        if not rule.required:
            continue
        if task not in groups_of_tasks:
            there = did_you_mean(task, groups_of_tasks)
            raise UserError(f"--policy {path}: [{task}]: the runs have no such task. {there} Or say required = false.")
        if group is not None and group not in groups_of_tasks[task]:
            there = did_you_mean(group, groups_of_tasks[task])
            raise UserError(f"--policy {path}: [{task}.{group!r}]: the runs have no such group. {there}")
