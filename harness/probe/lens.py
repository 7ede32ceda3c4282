"""`dtbench probe lens`: what each layer of a checkpoint would say, and from which layer on the clip no longer matters.

All checkpoints are given the same texts, so that their layers are compared at the same tokens: the answers of the last
one, or the reference chains of the task. Checkpoints are loaded one after the other; what is read of a question is a
line of lens.jsonl, so a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import dtbench
from dtbench.harness.core import options as opts
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Notify
from dtbench.harness.core.options import OUTPUT, TESTS, Argument, Option, check_options
from dtbench.harness.core.typed_settings import at_least, one_of
from dtbench.harness.probe.lens_summary import (
    DRAWS,
    by_checkpoint,
    reduce_traces,
    summarise_changes,
    summarise_kinds,
    summarise_patches,
)
from dtbench.harness.probe.probed_checkpoints import Control
from dtbench.harness.run.request import RunRequest
from dtbench.harness.store.append import AppendedFiles
from dtbench.harness.store.atomic import make_folder, replace_whole
from dtbench.harness.store.lens_probe_types import LensCheckpoint, LensFigures, LensReading, TokenReadings

if TYPE_CHECKING:
    from dtbench.harness.probe.forced import OpenedProbe, ProbedModel
    from dtbench.harness.probe.layer_reader import LayerReader
    from dtbench.harness.probe.lens_texts import LensQuestion

OWN, REFERENCE = TEXTS = ("own", "reference")
FIGURES, READINGS, FORCED, ASKED = "lens.json", "lens.jsonl", "lens-texts.jsonl", "lens-request.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LensRequest:
    """Which checkpoints are looked into, and at which texts; a UserError where a value is not allowed."""

    checkpoints: Annotated[
        Sequence[str],
        Argument("CKPT...", "Checkpoints, from the least to the most trained: folders, hub ids or families."),
    ] = ()
    control: Control = None
    tasks: Annotated[
        Sequence[str],
        Option(
            "--tasks", "TASK", "The benchmark whose questions are asked.", parse=opts.parse_names, values="task lists"
        ),
    ] = ("mini",)
    data_dir: opts.DataDir = None
    limit: Annotated[int, Option("--limit", "N", "Only the first N questions."), at_least(2)] = 64
    text: Annotated[
        str,
        Option(
            "--text",
            "TEXT",
            "What is forced on every checkpoint: own (what the last one answers) or reference (the task's reasoning).",
            values=TEXTS,
        ),
        one_of(TEXTS),
    ] = OWN
    patch: Annotated[
        int,
        Option("--patch", "N", "Replace the clip, layer by layer, in the first N questions; 0 for none.", panel=TESTS),
        at_least(0),
    ] = 32
    options: opts.ModelOptions = field(default_factory=dict[str, str])
    prompt: opts.PromptFile = None
    system: opts.SystemPrompt = None
    task_file: opts.TaskFile = None
    out: Annotated[
        Path | None,
        Option(
            "--out",
            "DIR",
            "Folder for lens.json and a line a question, from which the same command resumes.",
            panel=OUTPUT,
            shown="nothing is written",
            values="folders",
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        if not self.checkpoints:
            raise UserError("CKPT is missing: name a checkpoint, such as `dtbench probe lens mini`.")
        if self.control is not None and len(self.checkpoints) < 2:
            raise UserError(f"--control {self.control}: it stands beside what a training changed: name A and B first.")
        if len(self.tasks) != 1:
            raise UserError(f"--tasks {','.join(self.tasks)}: the lens reads one benchmark at a time.")
        check_options(self)

    @property
    def all(self) -> Sequence[str]:
        """Return the checkpoints that are read, the control last."""
        return [*self.checkpoints, *([] if self.control is None else [self.control])]

    def asked(self, checkpoint: str) -> RunRequest:
        """Return the questions of a checkpoint as `dtbench run` would ask them."""
        return RunRequest(
            model=checkpoint,
            backend="local",
            tasks=self.tasks,
            data_dir=self.data_dir,
            limit=self.limit,
            answer="think",
            options=self.options,
            prompt=self.prompt,
            system=self.system,
            task_file=self.task_file,
        )


class _Files(NamedTuple):
    """What is read of each question, and the files that keep it, where there is a folder for them."""

    folder: Path | None
    appended: AppendedFiles
    readings: dict[tuple[int, str], LensReading]
    texts: dict[str, list[int]]

    @classmethod
    def open(cls, folder: Path | None, asked: Mapping[str, Any]) -> _Files:
        """Open the folder; a UserError where it has the figures of another request."""
        if folder is None:
            return cls(None, AppendedFiles(), {}, {})
        make_folder(folder)
        path = folder / ASKED
        if path.exists() and json.loads(path.read_bytes()) != asked:
            raise UserError(f"--out {folder}: it has the lens of another request ({ASKED}): name another folder.")
        replace_whole(path, json.dumps(asked, indent=1).encode() + b"\n")
        readings = {(one["checkpoint"], one["id"]): one for one in _lines(folder / READINGS)}
        texts = {one["id"]: one["tokens"] for one in _lines(folder / FORCED)}
        return cls(folder, AppendedFiles(), readings, texts)

    def append(self, name: str, line: Mapping[str, Any]) -> None:
        """Append a line to one of the files."""
        if self.folder is not None:
            self.appended.append(self.folder / name, json.dumps(line).encode() + b"\n")


def _lines(path: Path) -> Iterator[Any]:
    """Yield the lines of a file; a torn one at its end is left out, and cut off before the next is written."""
    if path.exists():
        for line in path.read_bytes().split(b"\n")[:-1]:
            yield json.loads(line)


def run_lens(request: LensRequest, notify: Notify) -> LensFigures:
    """Read every layer of every checkpoint, and store the figures; resume where the folder has a part of them."""
    files = _Files.open(request.out, _identity(request))
    if request.out is not None and (request.out / FIGURES).exists():
        found: LensFigures = json.loads((request.out / FIGURES).read_bytes())
        return found
    try:
        return _read_all(request, files, notify)
    finally:
        files.appended.close()


def _identity(request: LensRequest) -> dict[str, Any]:
    """Return what makes two requests one: the checkpoints by their content, the questions, and what is forced."""
    from dtbench.harness.probe.forced import probed_spec
    from dtbench.models.checkpoints.checkpoint import resolve_checkpoint

    about = []
    for spec in request.all:
        checkpoint = resolve_checkpoint(probed_spec(spec, request.options), None, request.options)
        about.append({"checkpoint": spec, "content": None if checkpoint is None else checkpoint.content_hash()})
    names = ("tasks", "limit", "text", "patch", "options", "prompt", "system")
    control = {} if request.control is None else {"control": request.control}
    return {"checkpoints": about, **control, **{name: _plain(getattr(request, name)) for name in names}}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return hashlib.sha256(value.read_bytes()).hexdigest()[:12] if value.is_file() else str(value)
    return list(value) if isinstance(value, tuple) else value


class _LoadOrder(NamedTuple):
    """A checkpoint at its turn."""

    number: int
    """Its place in the request."""
    spec: str


def _read_all(request: LensRequest, files: _Files, notify: Notify) -> LensFigures:
    """Load one checkpoint after the other, the last first: its answers may be what is forced on all."""
    from dtbench.harness.probe.forced import open_probed

    last = len(request.checkpoints) - 1
    others = [number for number in range(len(request.all)) if number != last]
    order = [_LoadOrder(number, request.all[number]) for number in (last, *others)]
    chosen: _Chosen | None = None
    about: dict[int, LensCheckpoint] = {}
    for number, spec in order:
        opened = open_probed(request.asked(spec), notify)
        if chosen is None:
            chosen = _choose(request, opened, files, notify)
        elif opened.model.weights.tokenizer.get_vocab() != chosen.vocabulary:
            raise UserError(
                f"{spec}: its tokens are not those of {request.checkpoints[last]}, so the same text cannot be forced "
                "on both: look into each alone."
            )
        about[number] = _read_checkpoint(_LoadOrder(number, spec), opened.model, chosen, files, request.patch, notify)
        opened.model.close()
    assert chosen is not None
    parts = by_checkpoint(list(files.readings.values()))
    checkpoints: list[LensCheckpoint] = [
        {**about[number], "kinds": summarise_kinds(parts[number]), "patched": summarise_patches(parts[number])}
        for number in sorted(about)
    ]
    if request.control is not None:
        checkpoints[-1]["control"] = True
    changes = summarise_changes([parts[number] for number in sorted(about)], last)
    figures: LensFigures = {
        "kind": "lens",
        "dtbench": dtbench.__version__,
        "task": request.tasks[0],
        "questions": len(chosen.reasoned),
        "text": f"the answers of {request.checkpoints[last]}" if request.text == OWN else "the reference reasoning",
        "draws": DRAWS,
        "checkpoints": checkpoints,
        "changes": changes,
        "notes": _notes(request, chosen, checkpoints),
    }
    if request.out is not None:
        replace_whole(request.out / FIGURES, json.dumps(figures, indent=1).encode() + b"\n")
    return figures


class _Chosen(NamedTuple):
    """The texts that are forced on every checkpoint."""

    reasoned: Sequence[LensQuestion]
    direct: Sequence[LensQuestion]
    vocabulary: Mapping[str, int]

    def pairs(self) -> Iterator[tuple[str, Sequence[LensQuestion]]]:
        """Yield, for each question, its texts with and without reasoning."""
        direct = {one.asked.key: one for one in self.direct}
        for one in self.reasoned:
            yield one.asked.key, [one, direct[one.asked.key]] if one.asked.key in direct else [one]


def _choose(request: LensRequest, opened: OpenedProbe, files: _Files, notify: Notify) -> _Chosen:
    """Write the texts with the checkpoint that is loaded first, or read those that are there."""
    from dtbench.harness.probe.lens_texts import direct_questions, encode_text, reasoned_questions, reference_text

    model, asked = opened
    missing = [one for one in asked if one.key not in files.texts]
    if missing:
        notify(f"writing {len(missing)} texts")
    if request.text == OWN:
        written = ((one, list(answer.tokens)) for one, answer in model.answer(asked, files.texts))
    else:
        written = ((one, encode_text(model, reference_text(one, model.chain))) for one in missing)
    for one, tokens in written:
        files.texts[one.key] = tokens
        files.append(FORCED, {"id": one.key, "tokens": tokens, "text": model.weights.tokenizer.decode(tokens)})
    texts = [files.texts[one.key] for one in asked]
    vocabulary = model.weights.tokenizer.get_vocab()
    return _Chosen(reasoned_questions(model, asked, texts), direct_questions(model, asked), vocabulary)


def _read_checkpoint(
    turn: _LoadOrder, model: ProbedModel, chosen: _Chosen, files: _Files, patch: int, notify: Notify
) -> LensCheckpoint:
    """Read all questions that are not read yet."""
    from dtbench.harness.probe.layer_reader import LayerReader

    reader = LayerReader(model)
    pairs = list(chosen.pairs())
    missing = sum((turn.number, key) not in files.readings for key, _ in pairs)
    if missing:
        notify(f"{turn.spec}: reading {reader.layers} layers at {missing} questions")
    for place, (key, texts) in enumerate(pairs):
        if (turn.number, key) in files.readings:
            continue
        donor = pairs[(place + 1) % len(pairs)][1][0] if place < patch else None
        reading: LensReading = {
            "checkpoint": turn.number,
            "id": key,
            "text": texts[0].digest,
            "kinds": {},
            "patched": {},
        }
        for one in texts:
            _read_text(reading, one, donor, model, reader)
        files.readings[turn.number, key] = reading
        files.append(READINGS, reading)
    about: dict[str, Any] = {"checkpoint": turn.spec, "layers": reader.layers, "vocabulary": reader.vocabulary}
    if (content := model.about.get("content")) is not None:
        about["content"] = content
    return {**about, "kinds": [], "patched": []}  # type: ignore[typeddict-item]


def _read_text(
    reading: LensReading, one: LensQuestion, donor: LensQuestion | None, model: ProbedModel, reader: LayerReader
) -> None:
    """Add what the layers say of one text to the reading of its question."""
    from dtbench.harness.probe.lens_texts import donor_inputs, force_question

    if not one.targets:
        return
    text = force_question(model, one)
    traces = reader.read(text)
    kinds: dict[str, list[Any]] = {}
    for target, trace in zip(text.targets, traces, strict=True):
        kinds.setdefault(target.kind, []).append(trace)
    found: dict[str, TokenReadings] = {kind: reduce_traces(own) for kind, own in kinds.items()}
    reading["kinds"] |= found
    inputs = None if donor is None else donor_inputs(model, one, donor.asked)
    if inputs is not None and text.clip:
        reading["patched"] |= reader.patch(text, inputs)


def _notes(request: LensRequest, chosen: _Chosen, checkpoints: Sequence[LensCheckpoint]) -> list[str]:
    """Say what was left out, and what cannot be told."""
    notes = []
    without = sum(not any(target.kind == "opening" for target in one.targets) for one in chosen.reasoned)
    if without:
        notes.append(f"{without} of {len(chosen.reasoned)} texts have no tag that opens the reasoning")
    unanswered = sum(not any(target.kind == "answer" for target in one.targets) for one in chosen.reasoned)
    if unanswered:
        notes.append(f"{unanswered} of {len(chosen.reasoned)} texts name no option after their reasoning")
    if request.patch and not any(one["patched"] for one in checkpoints):
        notes.append("no clip was replaced: the questions have none")
    return notes
