"""The formats of submissions: what each leaderboard and each official script reads, field by field."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.options import (
    OUTPUT,
    Argument,
    DataOfRun,
    Option,
    SampleNumber,
    TaskFile,
    TaskName,
    check_options,
)
from dtbench.harness.core.schema import clip_name
from dtbench.harness.export.run_formats import ONE_FILE, PUBLISHED, PUSHED, RUN_FORMATS
from dtbench.harness.score.stored_run import SubmittedAnswer

Record = Mapping[str, Any]
INSIDE = "result.jsonl"
"""The file that the challenge looks for at the top of the archive."""
LONGEST_CHAIN = 9_999
"""Characters of a chain in the challenge, whose rule is fewer than 10,000."""
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_ZIP_DATE = (2026, 1, 1, 0, 0, 0)
"""Of every archive: the same answers make the same file."""


class SubmissionFormat(NamedTuple):
    """A kind of file."""

    name: str
    task: str
    """The benchmark that it is for."""
    shape: Literal["zip", "list", "lines", "csv"]
    record: Callable[[SubmittedAnswer], Record]
    prediction: str
    """The field that is scored."""
    texts: tuple[str, ...]
    """Fields that are text in every record."""
    needs: tuple[str, ...] = ()
    """Fields of the data without which it cannot be made."""
    reads: tuple[str, ...] = ()
    """Further fields that the official script reads from every record."""
    carries: tuple[str, ...] = ()
    """Fields of the data that it repeats, which have to be the data's."""
    in_order: bool = False
    """Whether the records have to stand in the order of the data."""
    longest: int | None = None
    """Characters that a chain may have."""
    columns: Mapping[str, str] = MappingProxyType({})
    """Of a table, its columns in order: the field, and what the first line calls it."""

    @property
    def file(self) -> str:
        """What a file of it is called where the user names none."""
        return f"{self.name}.{ {'zip': 'zip', 'list': 'json', 'lines': 'jsonl', 'csv': 'output.csv'}[self.shape] }"

    @property
    def ending(self) -> str:
        """How the name of such a file ends."""
        return Path(self.file).suffix

    def encoded(self, records: Iterable[Record]) -> bytes:
        """Encode the records as a file in ASCII: the official scripts read in whatever encoding a machine has set.

        A table has no escapes, so it is UTF-8.
        """
        if self.shape == "csv":
            table = io.StringIO()
            writer = csv.writer(table, lineterminator="\n")
            writer.writerow(self.columns.values())
            writer.writerows([record[name] for name in self.columns] for record in records)
            return table.getvalue().encode()
        if self.shape == "list":
            return json.dumps(list(records), indent=1).encode() + b"\n"
        lines = "".join(f"{json.dumps(record)}\n" for record in records).encode()
        if self.shape == "lines":
            return lines
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as archive:
            archive.writestr(zipfile.ZipInfo(INSIDE, _ZIP_DATE), lines, zipfile.ZIP_DEFLATED)
        return zipped.getvalue()


def _challenge(answer: SubmittedAnswer) -> Record:
    return {"id": answer.sample.id, "thinking_prediction": answer.thinking, "answer_prediction": answer.choice}


def _mmar(answer: SubmittedAnswer) -> Record:
    # The scripts before 2026-02 read model_prediction.
    text = answer.submission
    return {**answer.sample.as_published(), "answer_prediction": text, "model_prediction": text}


def _rubrics(answer: SubmittedAnswer) -> Record:
    return {**answer.sample.as_published(), **_challenge(answer)}


def _mmau(answer: SubmittedAnswer) -> Record:
    # The script reads model_output, its README says model_prediction.
    return {**answer.sample.as_published(), "model_output": answer.submission, "model_prediction": answer.submission}


def _mmau_test(answer: SubmittedAnswer) -> Record:
    return {name: value for name, value in _mmau(answer).items() if name != "answer"}


def _mmsu(answer: SubmittedAnswer) -> Record:
    item = answer.sample.as_published()
    clip = {"audio_path": f"/audio/{Path(clip_name(answer.sample.audio)).name}"}
    return {"id": answer.sample.id, **clip, **item, "response": answer.submission}


def _adqa(answer: SubmittedAnswer) -> Record:
    return {"id": answer.sample.id, "answer": answer.choice}


TABLED = "sub-category"
"""A field that scripts do without, with one question less in a table."""
_LETTERED = ("choice_a", "choice_b", "choice_c", "choice_d")
_CHALLENGE = ("id", "thinking_prediction", "answer_prediction")
FORMATS: Mapping[str, SubmissionFormat] = {
    one.name: one
    for one in (
        SubmissionFormat(
            name="arc",
            task="mmar",
            shape="zip",
            record=_challenge,
            prediction="answer_prediction",
            texts=_CHALLENGE,
            longest=LONGEST_CHAIN,
        ),
        SubmissionFormat(
            name="mmar",
            task="mmar",
            shape="lines",
            record=_mmar,
            prediction="answer_prediction",
            texts=("id", "answer", "answer_prediction", "modality", "category"),
            reads=("choices",),
            carries=("question", "choices", "answer", "modality", "category", TABLED),
        ),
        SubmissionFormat(
            name="mmar-rubrics",
            task="mmar",
            shape="lines",
            record=_rubrics,
            prediction="answer_prediction",
            texts=(*_CHALLENGE, "question", "answer", "thinking", "modality", "category"),
            needs=("thinking", "cue", "rubric"),
            reads=("choices", "cue", "rubric"),
            carries=(
                *("question", "choices", "answer", "thinking", "cue", "rubric"),
                *("modality", "category", TABLED),
            ),
        ),
        SubmissionFormat(
            name="mmau",
            task="mmau-mini",
            shape="list",
            record=_mmau,
            prediction="model_output",
            texts=("id", "answer", "model_output", "model_prediction", "task", "difficulty"),
            reads=("choices",),
            carries=("question", "choices", "answer", "task", "difficulty", TABLED),
        ),
        SubmissionFormat(
            name="mmau-test",
            task="mmau-test",
            shape="list",
            record=_mmau_test,
            prediction="model_prediction",
            texts=("id", "model_prediction"),
            carries=("question", "choices"),
            in_order=True,
        ),
        SubmissionFormat(
            name="mmsu",
            task="mmsu",
            shape="lines",
            record=_mmsu,
            prediction="response",
            texts=("id", "response", "category", "sub-category"),
            reads=(*_LETTERED, "answer_gt"),
            carries=("question", *_LETTERED, "answer_gt", "category", TABLED),
        ),
        SubmissionFormat(
            name="dcase-adqa",
            task="adqa-bench",
            shape="csv",
            record=_adqa,
            prediction="answer",
            texts=("id", "answer"),
            columns=MappingProxyType({"id": "question", "answer": "answer"}),
        ),
    )
}
_ENDINGS = {*(one.ending for one in FORMATS.values()), *ONE_FILE.values(), ".parquet", ".yaml"}
"""Endings that say what is in a file, so that a file of another format, or a folder, must not bear them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """Which run is written in which format, or which file is checked; a UserError where options cannot be combined."""

    run: Annotated[Path | None, Argument("[RUN]", "The run folder to export.", values="runs", is_run=True)] = None
    format_name: Annotated[
        str,
        Option(
            "--format",
            "FORMAT",
            f"For leaderboards: arc (Audio Reasoning Challenge), {', '.join(one for one in FORMATS if one != 'arc')}. "
            f"For whole runs: {', '.join(RUN_FORMATS)}.",
            missing=f"one of {', '.join((*FORMATS, *RUN_FORMATS))}.",
            panel=OUTPUT,
            values=(*FORMATS, *RUN_FORMATS),
        ),
    ]
    check: Annotated[
        Path | None, Option("--check", "FILE", "Check this submission file instead of writing one.", values="files")
    ] = None
    out: Annotated[
        Path | None,
        Option("--out", "PATH", "The file or folder to write.", panel=OUTPUT, shown="in RUN/export", values="files"),
    ] = None
    task: TaskName = None
    sample: SampleNumber = 0
    data_dir: DataOfRun = None
    truncate: Annotated[
        bool, Option("--truncate", None, "Cut reasoning that is too long; the manifest lists it.", panel=OUTPUT)
    ] = False
    incomplete: Annotated[
        bool,
        Option(
            "--incomplete",
            None,
            "Write empty answers for questions that have none; push unfinished runs.",
            panel=OUTPUT,
        ),
    ] = False
    task_file: TaskFile = None
    push: Annotated[
        str | None,
        Option(
            "--push",
            "ORG/NAME",
            "Also push the files to this hub repository: parquet to a data set, hub-eval to a model.",
            panel=OUTPUT,
            shown="nothing is pushed",
        ),
    ] = None
    direct: Annotated[
        bool, Option("--direct", None, "Push hub-eval as a commit instead of a pull request.", panel=OUTPUT)
    ] = False
    with_text: Annotated[
        bool,
        Option(
            "--with-text", None, "Keep questions and options of data sets whose licence limits copying.", panel=OUTPUT
        ),
    ] = False
    dataset: Annotated[
        str | None,
        Option(
            "--dataset",
            "ORG/NAME",
            "The benchmark's data set on the hub, for hub-eval; @REVISION may follow.",
            panel=OUTPUT,
            shown="that of the benchmark",
        ),
    ] = None
    source: Annotated[
        str | None,
        Option("--source", "URL", "Page with the details, for hub-eval.", panel=OUTPUT, shown="the model's page"),
    ] = None

    def __post_init__(self) -> None:
        """Refuse values that are not allowed, and options that cannot be combined."""
        check_options(self)
        for flag, value, formats in (
            ("--push", self.push, tuple(PUSHED)),
            ("--direct", self.direct, ("hub-eval",)),
            ("--dataset", self.dataset, ("hub-eval",)),
            ("--source", self.source, ("hub-eval",)),
            ("--with-text", self.with_text, PUBLISHED),
        ):
            if value and self.format_name not in formats:
                raise UserError(f"{flag}: --format {self.format_name} does not take it; {' and '.join(formats)} do.")
        if self.direct and self.push is None:
            raise UserError("--direct: it says how --push pushes; name the repository with --push ORG/NAME.")
        for flag, value in (("--push", self.push), ("--dataset", self.dataset and self.dataset.partition("@")[0])):
            if value is not None and not _REPOSITORY.fullmatch(value):
                raise UserError(f"{flag} {value}: not a repository name; ORG/NAME is expected.")
        if self.source is not None and not self.source.startswith(("https://", "http://")):
            raise UserError(f"--source {self.source}: the URL of a page is expected, such as https://...")
        if self.format_name in RUN_FORMATS:
            if self.run is None or self.check is not None:
                raise UserError(f"--format {self.format_name}: name a run's folder; only files for boards are checked.")
        else:
            self._refuse_submission()
        if self.out is not None and self.out.suffix.lower() in _ENDINGS:
            self._refuse_other_ending(self.out)

    def _refuse_submission(self) -> None:
        known = (*FORMATS, *RUN_FORMATS)
        if self.format_name not in FORMATS:
            raise UserError(f"--format {self.format_name}: unknown. {did_you_mean(self.format_name, known)}")
        if (self.run is None) == (self.check is None):
            raise UserError("name either a run's folder, or a file with --check.")
        for flag, value in (("--out", self.out), ("--truncate", self.truncate), ("--incomplete", self.incomplete)):
            if value and self.check is not None:
                raise UserError(f"{flag}: only the export of a run takes it; --check writes nothing.")

    def _refuse_other_ending(self, out: Path) -> None:
        own = ONE_FILE.get(self.format_name, "") if self.format_name in RUN_FORMATS else self.format.ending
        if out.suffix == own:
            return
        kinds = f"a {own} file" if self.format_name in FORMATS else f"a {own} file or a folder" if own else "a folder"
        other = out.with_suffix(own)
        raise UserError(f"--out {out}: --format {self.format_name} writes {kinds}; name one, such as {other}.")

    @property
    def format(self) -> SubmissionFormat:
        """The format of a submission."""
        return FORMATS[self.format_name]
