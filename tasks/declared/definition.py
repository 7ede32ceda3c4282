"""Read a task file into types; whatever is unknown, missing or of another type is one line with its place."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from dtbench.harness.core.errors import UserError, did_you_mean, one_line
from dtbench.harness.core.scorer import Column, Grouping
from dtbench.harness.core.task import STYLES
from dtbench.harness.core.typed_settings import at_least, read_table, read_toml, refuse_unknown
from dtbench.tasks.declared.field_rules import PLACE, FieldRule, read_field

FIELDS = ("id", "question", "choices", "answer", "audio")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIVIDER = re.compile(r"^---[ \t]*\n", re.MULTILINE)
REVISION = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """Where the records and clips of a task are."""

    files: Sequence[str] = ()
    """Files of records, or patterns of them such as `data/*.parquet`."""
    hub: str | None = None
    """The data set on the hub, as ORG/NAME."""
    revision: str | None = None
    """The commit of that data set."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """Files that come from elsewhere, and their URLs."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """The hash of each file, where it is known."""
    archive: Sequence[str] = ()
    """Archives that hold the clips."""
    clip_files: Sequence[str] = ()
    """Clips that are files of their own, or patterns of them: `data pull` fetches these too."""
    clips: str = ""
    """The folder that the paths of clips start from."""
    format: Literal["json", "csv", "tsv", "parquet", "datasets"] | None = None
    """How files are read; None: by the ends of their names."""
    rows: str | None = None
    """Where the list of records is in a file that is one JSON object, by dotted path."""
    config: str | None = None
    split: str | None = None
    """Which part of the data set `datasets` loads."""
    transform: str | None = None
    """A function of Python, as module:function, from a record to records."""


class QuestionTable(NamedTuple):
    """One of several questions that a record asks."""

    name: str
    """What is appended to the id."""
    fields: Mapping[str, FieldRule]
    groups: Mapping[str, FieldRule]
    when: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalTable:
    """How a total of groups is made, where that is not the mean of all questions."""

    by: str
    """The heading."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """The weight of each group; where none is named, all count alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplesTable:
    """Questions with their answers that may stand before the one that is asked."""

    files: Sequence[str] = ()
    """Files of records with the same fields; none: the first questions of the task itself."""
    ids: Sequence[str] = ()
    """Which of them, in order; empty: the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTable:
    """The keys of a task file that hold no table of their own names."""

    name: str
    title: str = ""
    licence: str = ""
    paper: str = ""
    size: Annotated[int, at_least(1)] | None = None
    """How many questions the published set has."""
    source: SourceTable
    answer_is: Literal["text", "letter", "index", "letter-or-index", "column"] = "text"
    """How the answer names the right option: by its text, its letter, its place from 0, or the column that has it."""
    prompt: str | None = None
    system: str | None = None
    wordings: Mapping[str, str] = field(default_factory=dict)
    examples: ExamplesTable | None = None
    stereo: bool = False
    figures: str | None = None
    """A function of Python, as module:function, from all records of a run to figures of its own."""
    total: TotalTable | None = None
    answers_public: bool = True
    copies_questions: bool = True
    prediction_keys: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A task file, read."""

    place: str
    """How messages name the file."""
    table: Mapping[str, Any]
    """The file as it is, which run.json keeps."""
    about: TaskTable
    fields: Mapping[str, FieldRule]
    groups: Mapping[str, FieldRule]
    questions: Sequence[QuestionTable] = ()
    scores: Sequence[Mapping[str, Any]] = ()
    """The tables of [[score]]; the first that fits a question is official for it."""
    columns: Sequence[Column] = ()
    groupings: Sequence[Grouping] = ()

    @property
    def name(self) -> str:
        """The name of the task."""
        return self.about.name

    @property
    def address(self) -> str:
        """What the user names it by: a file, a benchmark of dtbench, or a data set of the hub."""
        return self.place.partition(": ")[0]

    @functools.cached_property
    def places(self) -> frozenset[str]:
        """Which paths of a record's place its rules name: the items of its questions keep these."""
        text = json.dumps(self.table, default=str)
        return frozenset(name for name in PLACE if name in text)


_OWN_READING = ("fields", "groups", "question", "score", "column", "grouping")
"""Tables whose keys are names of the user's, or that come several times."""


def read_task_file(path: Path) -> dict[str, Any]:
    """Return what a task file says, with the words of a judge in place of the file that has them, `prompt_file`."""
    table = read_toml(path)
    scores = table.get("score")
    if isinstance(scores, list):
        table["score"] = [_with_words(one, path) if isinstance(one, dict) else one for one in scores]
    return table


def _with_words(score: dict[str, Any], path: Path) -> dict[str, Any]:
    """Put in the words of a file: the request, and above a line `---` the system prompt, if any."""
    if "prompt_file" not in score:
        return score
    name, rest = score["prompt_file"], {key: value for key, value in score.items() if key != "prompt_file"}
    if not isinstance(name, str) or not name:
        raise UserError(f"{path}: score: prompt_file = {json.dumps(name, default=str)}: a file's name is expected.")
    try:
        text = (path.parent / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: score: prompt_file = {json.dumps(name)}: cannot be read ({error}).") from None
    system, *request = _DIVIDER.split(text.rstrip("\n"), maxsplit=1)
    return {**rest, "system": system.strip(), "prompt": request[0]} if request else {**rest, "prompt": system}


def parse_definition(table: Mapping[str, Any], place: str) -> Definition:
    """Read the content of a task file; `place` names it in messages."""
    known = [*TaskTable.__dataclass_fields__, *_OWN_READING]
    refuse_unknown(place, table, known)
    _refuse_no_json(table, place)
    for name in ("name", "source", "fields"):
        if name not in table:
            raise UserError(f"{place}: {name} is missing; add it.")
    plain = {name: value for name, value in table.items() if name not in _OWN_READING}
    about = read_table(TaskTable, _with_lists(plain, place), place)
    _check_about(about, place)
    fields = _read_fields(_table(table, "fields", place), f"{place}: fields")
    questions = tuple(_question(one, where) for one, where in _tables(table, "question", place))
    groups = {key: read_field(v, f"{place}: groups: {key}") for key, v in _table(table, "groups", place).items()}
    _refuse_useless(about, {**groups, **{key: rule for one in questions for key, rule in one.groups.items()}}, place)
    if not ({"question", "audio"} & fields.keys() or questions):
        raise UserError(f"{place}: fields: a question or audio is expected, and neither is there.")
    return Definition(
        place=place,
        table=table,
        about=about,
        fields=fields,
        groups=groups,
        questions=questions,
        scores=[_score(one, where) for one, where in _tables(table, "score", place)],
        columns=[read_table(_ColumnTable, one, where).column() for one, where in _tables(table, "column", place)],
        groupings=[
            read_table(_GroupingTable, one, where).grouping(where) for one, where in _tables(table, "grouping", place)
        ],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ColumnTable:
    title: str
    where: Mapping[str, str] = field(default_factory=dict)

    def column(self) -> Column:
        return Column(self.title, self.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class _GroupingTable:
    title: str
    headings: Sequence[str]
    values: Sequence[str] = ()

    def grouping(self, where: str) -> Grouping:
        if self.values and len(self.headings) != 1:
            raise UserError(f"{where}: values are those of one heading, and {len(self.headings)} headings are named.")
        return Grouping(self.title, tuple(self.headings), tuple(self.values))


def _with_lists(table: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the table with one file or archive as a list of one."""
    source = table.get("source")
    if not isinstance(source, Mapping):
        return {**table}
    lists = {name: [source[name]] for name in ("files", "archive", "clip_files") if isinstance(source.get(name), str)}
    return {**table, "source": {**source, **lists}}


def _refuse_no_json(value: Any, where: str) -> None:
    """Raise a UserError for a date, or a number that is none: run.json keeps the file as JSON."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            _refuse_no_json(one, f"{where}: {one_line(str(name))}")
    elif isinstance(value, list):
        for one in value:
            _refuse_no_json(one, where)
    elif not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
        raise UserError(f"{where} = {one_line(str(value))}: a text in quotes, a number, a list or a table is expected.")


def _check_about(about: TaskTable, place: str) -> None:
    if not NAME.fullmatch(about.name):
        raise UserError(f'{place}: name = {json.dumps(about.name)}: letters, digits, ".", "_" and "-" are expected.')
    for style in about.wordings:
        if style not in STYLES:
            raise UserError(f"{place}: wordings: unknown style {style!r}. {did_you_mean(style, STYLES)}")
    source, where = about.source, f"{place}: source"
    if not (source.files or source.format == "datasets"):
        raise UserError(f'{where}: files is missing; name the files of records, such as files = ["questions.jsonl"].')
    for path in (*source.files, *source.archive, *source.clip_files, *source.urls, *source.sha256, source.clips):
        if path.startswith(("/", "~")) or ".." in path.split("/") or "\0" in path:
            raise UserError(f"{where}: {json.dumps(path)}: a path below the folder of the data is expected.")
    if source.hub is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", source.hub):
        raise UserError(f"{where}: hub = {json.dumps(source.hub)}: the name of a data set, ORG/NAME, is expected.")
    if source.hub is None and source.revision is not None:
        raise UserError(f'{where}: revision without hub: name the data set, as hub = "ORG/NAME".')
    if source.hub is not None and not REVISION.fullmatch(source.revision or ""):
        found = "revision is missing" if source.revision is None else f"revision = {json.dumps(source.revision)}"
        raise UserError(f"{where}: {found}: the commit of the data set is expected, 7 to 40 digits and letters a to f.")


def _table(table: Mapping[str, Any], name: str, place: str) -> Mapping[str, Any]:
    found = table.get(name, {})
    if not isinstance(found, Mapping):
        raise UserError(f"{place}: {name} = {json.dumps(found, default=str)}: a table, [{name}], is expected.")
    return found


def _refuse_useless(about: TaskTable, groups: Mapping[str, FieldRule], place: str) -> None:
    """Raise a UserError for a total of a heading that is not there, and for examples that are nowhere."""
    if about.total is not None and about.total.by not in groups:
        shown = json.dumps(about.total.by)
        raise UserError(f"{place}: total: by = {shown}: no such heading. {did_you_mean(about.total.by, groups)}")
    if about.examples is not None and not (about.examples.files or about.examples.ids):
        raise UserError(f"{place}: examples: files or ids are missing; name the questions that are shown with answers.")


def _tables(table: Mapping[str, Any], name: str, place: str) -> list[tuple[Mapping[str, Any], str]]:
    found = table.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise UserError(f"{place}: {name}: a list of tables, each begun by [[{name}]], is expected.")
    return [(one, f"{place}: {name} {number}") for number, one in enumerate(found, start=1)]


def _read_fields(table: Mapping[str, Any], where: str) -> dict[str, FieldRule]:
    for name in table:
        if name not in FIELDS:
            raise UserError(f"{where}: unknown field {name!r}. {did_you_mean(name, FIELDS)}")
    return {name: read_field(value, f"{where}: {name}") for name, value in table.items()}


def _question(table: Mapping[str, Any], where: str) -> QuestionTable:
    refuse_unknown(where, table, ("name", "fields", "groups", "when"))
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise UserError(f"{where}: name = {json.dumps(name)}: a text is expected; it is appended to the id.")
    when = _table(table, "when", where) if "when" in table else None
    groups = {
        key: read_field(value, f"{where}: groups: {key}") for key, value in _table(table, "groups", where).items()
    }
    return QuestionTable(name, _read_fields(_table(table, "fields", where), f"{where}: fields"), groups, when)


def _score(table: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    rule = table.get("rule")
    if not isinstance(rule, str) or not rule:
        found = "is missing" if rule is None else f"= {json.dumps(rule, default=str)}"
        raise UserError(f'{where}: rule {found}: the name of a scorer is expected, such as rule = "text".')
    if "when" in table:
        _table(table, "when", where)
    return table
