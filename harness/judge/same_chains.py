"""Hold a judge that goes on to the chains it has scored: what was paid for counts only where nothing of it changed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import cast

from dtbench.harness.core.errors import DataError
from dtbench.harness.judge.plan import JudgePlan
from dtbench.harness.judge.scorer import CaseT
from dtbench.harness.store.judged_types import JudgeRecord
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import AnyInfo, JudgeInfo

SHOWN = 3


def refuse_changed_chains(folder: Path, info: AnyInfo, task: str, plan: JudgePlan[CaseT]) -> None:
    """Raise a DataError where a chain that was judged, its answer or its criteria are others now; more may come."""
    judge = cast("JudgeInfo", info)
    known = {**judge.get("other_tasks", {}), **judge["tasks"]}.get(task)
    if known is None:
        return
    now = {(case.id, case.repeat): case.hash for case in plan.cases if case.asked}
    changed: dict[str, None] = {}
    for record in StoredRun(folder, info).records_as(task, JudgeRecord):
        was = record.get("chain_hash")
        if was is None:  # by an older dtbench, which had one hash for the first chains together
            shortest = dataclasses.replace(plan, cases=plan.cases[: known["questions"]])
            if shortest.fingerprint() != known["chains"]:
                changed[record["id"]] = None
        elif now.get((record["id"], record.get("repeat", 0)), was) != was:
            changed[record["id"]] = None
    if changed:
        first = ", ".join(map(repr, list(changed)[:SHOWN]))
        raise DataError(
            f"{folder}: {plan.scorer.judged} of {len(changed)} scored questions have changed (first: "
            f"{first}). Use another --out to score them as they are now."
        )
