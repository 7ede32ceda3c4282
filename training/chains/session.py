"""Complete drafts of training rows with captions, questions and chains; resume if started, keep what is rejected."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Model
from dtbench.harness.core.options import (
    ANSWERS,
    OUTPUT,
    RUNS,
    Against,
    Argument,
    DataDir,
    ModelOptions,
    Option,
    Rpm,
    Seed,
    check_options,
)
from dtbench.harness.core.typed_settings import at_least, between, read_options
from dtbench.harness.run.live_line import LiveCount, LiveLine
from dtbench.harness.run.pace import Pace
from dtbench.harness.run.signals import sigterm_as_interrupt, stop_on_signals
from dtbench.harness.run.worker_pool import Stop
from dtbench.harness.store.run_folder import RunFolder
from dtbench.harness.store.types import CotRecord, Status
from dtbench.models.endpoint.address import complete_url
from dtbench.models.endpoint.server import Server
from dtbench.models.endpoint.settings import EndpointSettings
from dtbench.training.chains.writing import STEPS, CotRun, missing_steps, with_step, words_hash
from dtbench.training.data.overlap import check_overlap
from dtbench.training.data.rows import RowsResult, TrainingRow, read_rows, refuse_other_rows, write_lines, write_rows

FAILED, INTERRUPTED = 3, 130
_NAME_THERE = "Model name as served by that endpoint."


def _endpoint_option(role: str, help_text: str, shown: str = "--base-url") -> Option:
    return Option(f"--{role}-base-url", "URL", help_text, panel=ANSWERS, shown=shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class CotOptions:
    """Which drafts are completed, and which endpoints write what they lack."""

    data: Annotated[
        str, Argument("DATA", "File of drafts: training rows that lack a question or reasoning.", values="files")
    ]
    out: Annotated[
        Path,
        Option(
            "--out",
            "DIR",
            "Folder of rows.jsonl and rejects.jsonl; one that already holds some is resumed.",
            panel=OUTPUT,
            values="folders",
        ),
    ]
    base_url: Annotated[
        str | None,
        Option("--base-url", "URL", "Endpoint for every step without its own.", panel=ANSWERS),
    ] = None
    model: Annotated[
        str | None,
        Option("--model", "NAME", _NAME_THERE, panel=ANSWERS, shown="the only one served"),
    ] = None
    captioner: Annotated[str | None, _endpoint_option("captioner", "Endpoint that describes each clip.")] = None
    writer: Annotated[
        str | None,
        _endpoint_option("writer", "Endpoint that writes questions for rows without one."),
    ] = None
    reasoner: Annotated[
        str | None,
        _endpoint_option("reasoner", "Endpoint that writes reasoning chains.", "the writer's"),
    ] = None
    captioner_model: Annotated[str | None, Option("--captioner-model", "NAME", _NAME_THERE, panel=ANSWERS)] = None
    writer_model: Annotated[str | None, Option("--writer-model", "NAME", _NAME_THERE, panel=ANSWERS)] = None
    reasoner_model: Annotated[str | None, Option("--reasoner-model", "NAME", _NAME_THERE, panel=ANSWERS)] = None
    limit: Annotated[int | None, Option("--limit", "N", "Only the first N rows.", shown="all"), at_least(1)] = None
    concurrency: Annotated[
        int, Option("--concurrency", "N", "Maximum concurrent requests.", panel=RUNS), at_least(1)
    ] = 8
    rpm: Rpm = None
    seed: Seed = 0
    options: ModelOptions = field(default_factory=dict[str, str])
    max_failed: Annotated[
        float,
        Option("--max-failed", "SHARE", "Share of rows that may fail; exit 3 if more do.", panel=RUNS),
        between(0, 1),
    ] = 0.01
    against: Against = "found"
    data_dir: DataDir = None

    def __post_init__(self) -> None:
        check_options(self)

    def endpoint(self, step: str) -> Model:
        """Return the endpoint of a step; a UserError where none is named."""
        common = (self.base_url, self.model)
        captioner, writer, reasoner = (
            (self.captioner, self.captioner_model),
            (self.writer, self.writer_model),
            (self.reasoner, self.reasoner_model),
        )
        role, own = {
            "caption": ("captioner", [captioner, common]),
            "question": ("writer", [writer, common]),
            "chain": ("reasoner", [reasoner, writer, common]),
        }[step]
        named, name = next((pair for pair in own if pair[0] is not None), (None, None))
        url = complete_url(named or "")
        if "://" not in url:
            flag = f"--{role}-base-url"
            problem = f"{flag} is missing" if named is None else f"{flag} {named}: this is no URL"
            raise UserError(f"{problem}: rows lack a {step}; name an endpoint, such as http://localhost:8000/v1.")
        settings = read_options(
            EndpointSettings, self.options, f"a {role}", defaults={"model": name}, besides=("model",)
        )
        return Server.connect(url, settings)


def write_cot(options: CotOptions, live: LiveLine) -> RowsResult:
    """Write what the drafts lack; resume if the folder already has some."""
    refuse_other_rows(options.out)
    rows = list(read_rows(Path(options.data), drafts=True))[: options.limit]
    if not any(missing_steps(row) for row in rows):
        raise UserError(f"{options.data}: every row has a question and reasoning, so there is nothing to write.")
    overlaps = _check_overlap(rows, options, live)
    needed = [step for step in STEPS if any(step in missing_steps(row) for row in rows)]
    models = {step: options.endpoint(step) for step in needed}
    for line in overlaps:
        live.notify(line)
    with sigterm_as_interrupt(), RunFolder.start(options.out / "run", _settings(rows, models, options)) as folder:
        folder.plan({step: sum(step in missing_steps(row) for row in rows) for step in models})
        asyncio.run(_write(rows, models, folder, options, live))
        return _finish(rows, folder, options, overlaps)


def _check_overlap(rows: Sequence[TrainingRow], options: CotOptions, live: LiveLine) -> list[str]:
    clips = LiveCount("clips")
    with live.showing("overlap", clips.state):
        listing = options.out / "overlaps.jsonl"
        return check_overlap(rows, options.against, options.data_dir, listing, progress=clips.set)


def _settings(rows: Sequence[TrainingRow], models: Mapping[str, Model], options: CotOptions) -> dict[str, Any]:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr((row.id, row.question, row.choices, row.answer, row.chain)).encode("utf-8", "replace"))
        if row.extra.get("notes"):
            digest.update(str(row.extra["notes"]).encode("utf-8", "replace"))
    about = {step: dict(model.describe()) for step, model in models.items()}
    where = {step: {name: one.pop(name, None) for name in ("urls", "version")} for step, one in about.items()}
    return {
        "kind": "cot",
        "models": about,
        "endpoint": where,
        "words": words_hash(list(models)),
        "writing_seed": options.seed,
        "tasks": {step: {"rows": len(rows), "sha256": digest.hexdigest()} for step in models},
    }


async def _write(
    rows: Sequence[TrainingRow],
    models: Mapping[str, Model],
    folder: RunFolder,
    options: CotOptions,
    live: LiveLine,
) -> None:
    stop = Stop()
    pace = Pace(options.concurrency, options.rpm, stop=stop, notify=live.notify)
    run = CotRun(rows, models, folder, options.seed, pace)
    try:
        with stop_on_signals(stop, live.notify), live.showing("cot", run.state):
            await run.run(stop, lambda progress: live.refresh())
    finally:
        for model in dict.fromkeys(models.values()):
            await model.aclose()
    if stop.reason:
        live.notify(stop.reason)


def _finish(rows: Sequence[TrainingRow], folder: RunFolder, options: CotOptions, lines: Sequence[str]) -> RowsResult:
    """Sum up what was written: whole rows, rejects with their reasons, and what is still missing."""
    records = {step: {record["id"]: record for record in folder.records_as(step, CotRecord)} for step in STEPS}
    finished, rejects, failed, missing = _sort_rows(rows, records)
    status: Status = "interrupted" if missing else "failed" if failed > options.max_failed * len(rows) else "done"
    write_rows(options.out / "rows.jsonl", finished)
    write_lines(options.out / "rejects.jsonl", rejects)
    why = Counter(f"{one['step']}: {str(one['why']).partition(':')[0]}" for one in rejects)
    report = {
        "rows": str(options.out / "rows.jsonl"),
        "status": status,
        "drafts": len(rows),
        "written": len(finished),
        "rejected": len(rejects),
        "failed": failed,
        "missing": missing,
        "rejected_why": dict(why.most_common()),
        "tokens": _tokens(records),
        "overlap": list(lines),
    }
    folder.write_summary(report)
    folder.finish(status)
    return RowsResult(status, {"done": 0, "failed": FAILED, "interrupted": INTERRUPTED}[status], report)


def _sort_rows(
    rows: Sequence[TrainingRow], records: Mapping[str, Mapping[str, CotRecord]]
) -> tuple[list[TrainingRow], list[dict[str, Any]], int, int]:
    finished: list[TrainingRow] = []
    rejects: list[dict[str, Any]] = []
    failed = missing = 0
    for row in rows:
        written, ended = row, "taken"
        for step in missing_steps(row):
            record = records[step].get(row.id)
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


def _tokens(records: Mapping[str, Mapping[str, CotRecord]]) -> dict[str, dict[str, int]]:
    """Add up the tokens of each step; of a repeated text, the last alone counts."""
    tokens: dict[str, Counter[str]] = {step: Counter() for step in STEPS}
    for step in STEPS:
        for record in records[step].values():
            tokens[step].update(record.get("usage", {}))
    return {step: dict(counts) for step, counts in tokens.items() if counts}
