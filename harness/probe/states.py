"""`dtbench probe states`: how two models differ inside at the same tokens, and which part of that matters.

Three passes, with one model in memory at a time: B answers, A is looked into and gets B's weights part by part, B is
compared with what was kept of A. A control goes through all that as B does, at the same texts. Every step is a file or
a line in the folder of the probe, so that the same command resumes after the last one. What was kept of A is removed at
the end.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

from dtbench.harness.core import options as opts
from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.model import Notify
from dtbench.harness.core.options import ANSWERS, OUTPUT, RUNS, Argument, Option, check_options
from dtbench.harness.core.task import STYLES
from dtbench.harness.core.typed_settings import at_least, at_most, one_of
from dtbench.harness.probe.forced import open_probed, probed_spec
from dtbench.harness.probe.probed_checkpoints import Control
from dtbench.harness.probe.state_passes import CONTROL, B, StatePasses, StatesFolder
from dtbench.harness.probe.states_report import make_report
from dtbench.harness.probe.swaps import PARTS
from dtbench.harness.run.request import RunRequest
from dtbench.harness.store.atomic import make_folder, replace_whole
from dtbench.harness.store.leftovers import temporary_folder
from dtbench.harness.store.locks import FileLock, LockHeldError
from dtbench.harness.store.states_probe_types import StatesProbe
from dtbench.models.checkpoints.checkpoint import resolve_checkpoint

REPORT = "states.json"
_REQUEST, _WORK = "states-request.json", "states-work"
NO_PARTS = "none"


def parse_parts(text: str) -> Sequence[str]:
    """Return the parts of a list with commas; none of them for `none`."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in (*PARTS, NO_PARTS):
            raise UserError(f"--parts {name}: unknown. {did_you_mean(name, (*PARTS, NO_PARTS))}")
    if not names or (NO_PARTS in names and len(names) > 1):
        raise UserError(f"--parts {text}: parts separated by commas are expected, or `none` alone.")
    return [] if names == [NO_PARTS] else [part for part in PARTS if part in names]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatesRequest:
    """Two checkpoints, and the questions at which they are compared; a UserError where a value is not allowed."""

    before: Annotated[str, Argument("A", "The checkpoint before: a folder, a hub id, a stage of a training.")]
    after: Annotated[str, Argument("B", "The checkpoint after, of the same architecture and size.")]
    control: Control = None
    tasks: Annotated[
        Sequence[str],
        Option(
            "--tasks",
            "TASK,...",
            "Benchmarks whose questions are asked.",
            missing="name one or more, such as --tasks mini.",
            parse=opts.parse_names,
            values="task lists",
        ),
    ] = ()
    data_dir: opts.DataDir = None
    task_file: opts.TaskFile = None
    limit: Annotated[
        int, Option("--limit", "N", "Only the first N questions of each benchmark."), at_least(1), at_most(100_000)
    ] = 64
    options: opts.ModelOptions = field(default_factory=dict[str, str])
    prompt: opts.PromptFile = None
    system: opts.SystemPrompt = None
    answer: Annotated[
        str,
        Option("--answer", "STYLE", "direct, or think (reason first, then answer).", panel=ANSWERS, values=STYLES[:2]),
        one_of(STYLES[:2]),
    ] = "direct"
    parts: Annotated[
        Sequence[str],
        Option(
            "--parts",
            "PART,...",
            "Parts of B that are put into A: router, experts, attention, mlp, layer (all of it), outside (of the "
            "layers); none to leave that out.",
            parse=parse_parts,
            panel=RUNS,
            shown="all that there are",
            values=(*PARTS, NO_PARTS),
        ),
    ] = PARTS
    forced_only: Annotated[
        bool,
        Option(
            "--forced-only",
            None,
            "Measure swapped parts by the log-probability of B's texts alone, and have no answers generated.",
            panel=RUNS,
        ),
    ] = False
    out: Annotated[
        Path | None,
        Option(
            "--out",
            "DIR",
            "Folder for states.json; the same command resumes there.",
            panel=OUTPUT,
            shown="nothing is kept",
            values="folders",
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        check_options(self)
        for name in ("load_in_4bit", "load_in_8bit"):
            if name in self.options:
                raise UserError(f"-M {name}: states are compared as the weights are saved: leave it out.")

    def run_request(self, spec: str) -> RunRequest:
        """Return the run that asks one of the models these questions."""
        return RunRequest(
            model=spec,
            tasks=self.tasks,
            data_dir=self.data_dir,
            task_file=self.task_file,
            limit=self.limit,
            options=self.options,
            prompt=self.prompt,
            system=self.system,
            answer=self.answer,
        )

    def identity(self) -> dict[str, object]:
        """Return what the result depends on."""
        words = [None if value is None else str(value) for value in (self.prompt, self.system)]
        return {
            "a": _content(self.before, self),
            "b": _content(self.after, self),
            "control": None if self.control is None else _content(self.control, self),
            "tasks": [*self.tasks, *([str(self.task_file)] if self.task_file else [])],
            "limit": self.limit,
            "options": dict(self.options),
            "words": [*words, self.answer],
            "parts": list(self.parts),
            "forced_only": self.forced_only,
        }


def _content(spec: str, request: StatesRequest) -> str:
    """Return what tells a checkpoint from others: the hash of its files, or its name on the hub."""
    checkpoint = resolve_checkpoint(probed_spec(spec, request.options), None, request.options)
    return spec if checkpoint is None else checkpoint.content_hash() or spec


def probe_states(request: StatesRequest, notify: Notify) -> StatesProbe:
    """Compare two checkpoints at the same tokens; resume where the folder of the request holds a part of that."""
    for spec in (request.before, request.after, *([] if request.control is None else [request.control])):
        probed_spec(spec, request.options)
    if request.out is None:
        with temporary_folder("dtbench-probe-") as folder:
            return _probed(request, folder, notify)
    make_folder(request.out)
    with _alone(request.out):
        known = _known_report(request, request.out)
        if known is None:
            return _probed(request, request.out, notify)
        shutil.rmtree(request.out / _WORK, ignore_errors=True)  # there after a kill behind the report
        return known


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other probes from writing into the folder."""
    try:
        lock = FileLock(folder / ".states.lock", optional=True)
    except LockHeldError as error:
        raise UserError(f"--out {folder}: another probe is writing there ({error}): name another folder.") from None
    try:
        yield
    finally:
        lock.close()


def _known_report(request: StatesRequest, folder: Path) -> StatesProbe | None:
    """Return the report that is there; refuse a folder with another probe in it."""
    identity, stored = json.loads(json.dumps(request.identity())), folder / _REQUEST
    if stored.is_file():
        before = json.loads(stored.read_bytes())
        differs = next((name for name in identity if before.get(name) != identity[name]), None)
        if differs is not None:
            raise UserError(
                f"--out {folder}: it holds a probe with other {differs} ({before.get(differs)}; now "
                f"{identity[differs]}): name another folder, or ask for the same."
            )
    replace_whole(stored, json.dumps(identity).encode() + b"\n")
    report = folder / REPORT
    known: StatesProbe | None = json.loads(report.read_bytes()) if report.is_file() else None
    return known


def _probed(request: StatesRequest, folder: Path, notify: Notify) -> StatesProbe:
    began = time.monotonic()
    others = {B: request.after} if request.control is None else {B: request.after, CONTROL: request.control}
    work, answers = StatesFolder(folder, folder / _WORK), not request.forced_only
    passes = StatePasses(work, request.parts, notify, others=list(others), answers=answers)
    steps: Sequence[tuple[str, str, Callable[..., None]]] = (
        *((f"{by}-answers", spec, partial(passes.answer_first, by)) for by, spec in others.items()),
        ("a", request.before, passes.look_into_a),
        *((by, spec, partial(passes.compare, by)) for by, spec in others.items()),
    )
    try:
        for name, spec, step in steps:
            if not work.is_done(name):
                opened = open_probed(request.run_request(spec), notify)
                step(opened.model, opened.questions)
                opened.model.close()
                work.mark_done(name)
    finally:
        passes.close()
    report = make_report(work, list(request.tasks), time.monotonic() - began)
    replace_whole(folder / REPORT, json.dumps(report, ensure_ascii=False).encode() + b"\n")
    shutil.rmtree(work.work)
    return report
