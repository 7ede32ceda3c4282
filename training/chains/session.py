"""One call of `dtbench chains`: drafts become rows, from where it stands to the end; what is turned away is kept."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Model
from dtbench.harness.run.loop import Stop
from dtbench.harness.run.signals import heeded, terminable
from dtbench.harness.store.run_folder import RunFolder, Status, StoredRun
from dtbench.training.chains.wording import words_hash
from dtbench.training.chains.writing import STEPS, Going, Writing, steps_of, with_step
from dtbench.training.data.check_overlap import check_overlap
from dtbench.training.data.rows import TrainingRow, read_rows, write_lines, write_rows

SAY_EVERY = 10.0
FAILED, INTERRUPTED = 3, 130


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainsOptions:
    """What the user asked for."""

    data: str
    out: Path
    limit: int | None = None
    concurrency: int = 8
    seed: int = 0
    max_failed: float = 0.01
    against: str = "found"
    data_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class ChainsResult:
    """How it ended."""

    status: Status
    exit_code: int
    report: Mapping[str, Any]


def write_chains(wish: ChainsOptions, reach: Callable[[str], Model], say: Callable[[str], None]) -> ChainsResult:
    """Write what the drafts lack; `reach` gives the model of a step, and is called for steps that are needed."""
    if wish.concurrency < 1:
        raise UserError(f"--concurrency {wish.concurrency}: a number from 1 up is expected.")
    rows = _drafts(wish)
    lines = check_overlap(rows, wish.against, wish.data_dir, wish.out / "overlaps.jsonl")
    needed = [step for step in STEPS if any(step in steps_of(row) for row in rows)]
    models = {step: reach(step) for step in needed}
    for told in lines:
        say(told)
    with terminable(), RunFolder.start(wish.out / "run", _settings(rows, models, wish)) as folder:
        asyncio.run(_write(rows, models, folder, wish, say))
        return _ended(rows, folder, wish, lines)


def _drafts(wish: ChainsOptions) -> list[TrainingRow]:
    rows = list(read_rows(Path(wish.data), drafts=True))[: wish.limit]
    if not any(steps_of(row) for row in rows):
        raise UserError(f"{wish.data}: every row has its question and its chain: there is nothing to write.")
    return rows


def _settings(rows: Sequence[TrainingRow], models: Mapping[str, Model], wish: ChainsOptions) -> dict[str, Any]:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr((row.id, row.question, row.choices, row.answer, row.chain)).encode("utf-8", "replace"))
    about = {step: dict(model.describe()) for step, model in models.items()}
    where = {step: {name: one.pop(name, None) for name in ("urls", "version")} for step, one in about.items()}
    return {
        "models": about,
        "endpoint": where,
        "words": words_hash(list(models)),
        "writing_seed": wish.seed,
        "tasks": {step: {"rows": len(rows), "sha256": digest.hexdigest()} for step in models},
    }


async def _write(
    rows: Sequence[TrainingRow],
    models: Mapping[str, Model],
    folder: RunFolder,
    wish: ChainsOptions,
    say: Callable[[str], None],
) -> None:
    stop, writing = Stop(), Writing(rows, models, folder, wish.seed)
    try:
        with heeded(stop, say):
            await writing.write_all(stop, wish.concurrency, _telling(say))
    finally:
        for model in dict.fromkeys(models.values()):
            await model.aclose()


def _telling(say: Callable[[str], None]) -> Callable[[Going], None]:
    said = time.monotonic()

    def tell(going: Going) -> None:
        nonlocal said
        if time.monotonic() - said >= SAY_EVERY:
            said = time.monotonic()
            say(f"chains: {going.done} of {going.expected} rows, {going.rejected} rejected, {going.failed} failed")

    return tell


def _ended(rows: Sequence[TrainingRow], folder: RunFolder, wish: ChainsOptions, lines: Sequence[str]) -> ChainsResult:
    """Sum up what was written: whole rows, rejects with their reasons, and what is still missing."""
    finished, rejects, failed, missing = _sorted(rows, folder)
    status: Status = "interrupted" if missing else "failed" if failed > wish.max_failed * len(rows) else "done"
    write_rows(wish.out / "rows.jsonl", finished)
    write_lines(wish.out / "rejects.jsonl", rejects)
    why = Counter(f"{one['step']}: {str(one['why']).partition(':')[0]}" for one in rejects)
    report = {
        "rows": str(wish.out / "rows.jsonl"),
        "status": status,
        "drafts": len(rows),
        "written": len(finished),
        "rejected": len(rejects),
        "failed": failed,
        "missing": missing,
        "rejected_why": dict(why.most_common()),
        "tokens": _tokens(folder),
        "overlap": list(lines),
    }
    folder.write_summary(report)
    folder.finish(status)
    return ChainsResult(status, {"done": 0, "failed": FAILED, "interrupted": INTERRUPTED}[status], report)


def _sorted(rows: Sequence[TrainingRow], folder: StoredRun) -> tuple[list[TrainingRow], list[dict[str, Any]], int, int]:
    kept = {step: {record["id"]: record for record in folder.records(step)} for step in STEPS}
    finished: list[TrainingRow] = []
    rejects: list[dict[str, Any]] = []
    failed = missing = 0
    for row in rows:
        written, ended = row, "taken"
        for step in steps_of(row):
            record = kept[step].get(row.id)
            if record is None or "taken" not in record:
                ended = "missing" if record is None else "rejected" if "rejected" in record else "failed"
                if record is not None and ended == "rejected":
                    rejects.append({"id": row.id, "step": step, "why": record["rejected"], "text": record["text"]})
                break
            written = with_step(written, step, record["taken"])
        finished += [written] if ended == "taken" else []
        failed += ended == "failed"
        missing += ended == "missing"
    return finished, rejects, failed, missing


def _tokens(folder: StoredRun) -> dict[str, dict[str, int]]:
    """What each step took; of texts that were asked for again, the last."""
    tokens: dict[str, Counter[str]] = {step: Counter() for step in STEPS}
    for step in STEPS:
        for record in folder.records(step):
            tokens[step].update(record.get("usage", {}))
    return {step: dict(counts) for step, counts in tokens.items() if counts}
