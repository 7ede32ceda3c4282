"""Make questions of records, as the fields of a task file say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from string import ascii_uppercase
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.records import MetadataRecord
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.scorer import AnswerKey
from dtbench.tasks.declared.clip_paths import ClipPaths
from dtbench.tasks.declared.definition import Definition, QuestionTable
from dtbench.tasks.declared.field_rules import FILE, PLACE, ROW, FieldRule, fits, has_path, heading_text, missing_field

QUESTION = "@question"
"""The key under which an item says which of its record's questions it is."""
WHOLE = QuestionTable("", {}, {}, None)
"""What a record asks where it asks one thing."""
_PLAIN = (str, int, float, bool, type(None))


class RecordReader(NamedTuple):
    """Reads questions out of records."""

    definition: Definition
    clips: ClipPaths
    several_files: bool = False
    """Whether an id that is made of the row needs the name of the file, too."""

    def samples(self, records: Iterable[MetadataRecord]) -> Iterator[Sample]:
        """Yield the questions of every record; a DataError that names the record where it makes none."""
        for record in records:
            for question in self.definition.questions or (WHOLE,):
                if fits(question.when, record.item):
                    try:
                        yield self._sample(record.item, question, record.where)
                    except DataError as error:
                        raise record.wrong(str(error).removesuffix(".")) from None
                    except ValueError as error:
                        raise record.wrong(str(error)) from None

    def _sample(self, record: Mapping[str, Any], question: QuestionTable, where: str) -> Sample:
        fields = {**self.definition.fields, **question.fields}
        id_ = self._id(fields.get("id"), record, question)
        key = answer_key(self.definition, record, question)
        text = _text(fields, "question", record)
        groups = {**self.definition.groups, **question.groups}
        headings = {heading: _heading(rule, record) for heading, rule in groups.items()}
        audio: tuple[Any, ...] = ()
        if (rule := fields.get("audio")) is not None:
            value = _present(rule, "audio", record)
            audio = self.clips.clips(rule.text(record) if _rewrites(rule) else value, where)
        answer = None if key.answer is None else str(key.answer)
        return Sample(
            id_,
            text or "",
            tuple(key.choices),
            answer,
            groups={heading: value for heading, value in headings.items() if value is not None},
            item=_item(record, self.definition, question),
            clips=audio,
        )

    def _id(self, rule: FieldRule | None, record: Mapping[str, Any], question: QuestionTable) -> str:
        if rule is None:
            own = f"{record[FILE]}-{record[ROW]}" if self.several_files else str(record[ROW])
        else:
            _present(rule, "id", record)
            own = rule.text(record) or ""
            if not own:
                raise ValueError(f"{rule.shown} (id) is empty, and a text or a number is expected")
        return f"{own}-{question.name}" if question.name else own


def answer_key(definition: Definition, record: Mapping[str, Any], question: QuestionTable = WHOLE) -> AnswerKey:
    """Return the options of a record and the text of the right one, or what is right of an open question."""
    fields = {**definition.fields, **question.fields}
    choices = []
    if (rule := fields.get("choices")) is not None:
        for column in rule.columns:
            _require(column, "choices", record)
        if rule.path is not None and rule.default is None and not (rule.when or rule.unless):
            _require(rule.path, "choices", record)
        choices = rule.texts(record)
    rule = fields.get("answer")
    if rule is None or not definition.about.answers_public:
        return AnswerKey(choices, None)
    value = _present(rule, "answer", record)
    if isinstance(value, list | tuple) and value and not choices:
        value = value[0]
        return AnswerKey(choices, (rule.map or {}).get(str(value), str(value)))
    return AnswerKey(choices, _answer(rule, record, choices, definition, fields.get("choices")))


def _answer(
    rule: FieldRule,
    record: Mapping[str, Any],
    choices: Sequence[str],
    definition: Definition,
    options: FieldRule | None,
) -> str | None:
    said, kind = rule.text(record), definition.about.answer_is
    if said is None or kind == "text" or not choices:
        return said
    if kind == "column":
        columns = options.columns if options is not None else ()
        if said not in columns:
            raise ValueError(f"{rule.shown} is {said!r}, and the name of a column of choices is expected")
        return FieldRule(path=said).text(record)
    place = -1
    if kind.startswith("letter") and len(letter := said.strip(" ().:").upper()) == 1 and letter.isalpha():
        place = ascii_uppercase.find(letter)
    elif kind.endswith("index") and said.removesuffix(".0").isdecimal():
        place = int(said.removesuffix(".0"))
    if not 0 <= place < len(choices):
        expected = {"letter": "its letter", "index": "its place, from 0,"}.get(kind, "its letter, or its place from 0,")
        raise ValueError(f"{rule.shown} is {said!r}, and {expected} among {len(choices)} choices is expected")
    return choices[place]


def _rewrites(rule: FieldRule) -> bool:
    return rule.find is not None or rule.map is not None


def _text(fields: Mapping[str, FieldRule], name: str, record: Mapping[str, Any]) -> str | None:
    rule = fields.get(name)
    if rule is None:
        return None
    _present(rule, name, record)
    return rule.text(record)


def _present(rule: FieldRule, name: str, record: Mapping[str, Any]) -> Any:
    """Return the raw value of a field; a DataError where the record does not have the field at all."""
    if rule.path is not None and rule.default is None and rule.when is None and rule.unless is None:
        _require(rule.path, name, record)
    return rule.raw(record)


def _require(path: str, name: str, record: Mapping[str, Any]) -> None:
    if not has_path(record, path):
        raise missing_field(record, name, path)


def sample_of_item(definition: Definition, item: Mapping[str, Any]) -> Sample:
    """Return the question of a published record, without its clips; what the record lacks is empty."""
    question = question_of(definition, item)
    key = answer_key(definition, item, question)
    fields = {**definition.fields, **question.fields}
    groups = {heading: _heading(rule, item) for heading, rule in {**definition.groups, **question.groups}.items()}
    text = fields["question"].text(item) if "question" in fields else None
    return Sample(
        "",
        text or "",
        tuple(key.choices),
        None if key.answer is None else str(key.answer),
        groups={heading: value for heading, value in groups.items() if value is not None},
        item=item,
    )


def _heading(rule: FieldRule, record: Mapping[str, Any]) -> str | None:
    return heading_text(rule.text(record) if _rewrites(rule) else rule.raw(record))


def question_of(definition: Definition, item: Mapping[str, Any]) -> QuestionTable:
    """Return which of a record's questions an item is."""
    return next((one for one in definition.questions if one.name == item.get(QUESTION)), WHOLE)


def _item(record: Mapping[str, Any], definition: Definition, question: QuestionTable) -> dict[str, Any]:
    """Return the record as published, without audio; with what names the question, where a record asks several."""
    kept = {key: value for key, value in record.items() if key not in PLACE or key in definition.places}
    item = {key: plain for key, value in kept.items() if (plain := _plain(value)) is not _NOTHING}
    return {**item, QUESTION: question.name} if question.name else item


_NOTHING = object()


def _plain(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {str(key): one for key, each in value.items() if (one := _plain(each)) is not _NOTHING}
    if isinstance(value, list | tuple):
        plain = [_plain(one) for one in value]
        return (
            _NOTHING
            if plain and all(one is _NOTHING for one in plain)
            else [one for one in plain if one is not _NOTHING]
        )
    return value.isoformat() if isinstance(value, date) else _NOTHING


def transformed(
    records: Iterable[MetadataRecord], transform: Callable[[dict[str, Any]], Any], name: str
) -> Iterator[MetadataRecord]:
    """Yield what a function of the author's makes of each record: one record, or several."""
    for record in records:
        made = transform({**record.item})
        for one in [made] if isinstance(made, Mapping) else made:
            if not isinstance(one, Mapping):
                raise record.wrong(f"{name} returned {repr(one)[:60]}, and a record or a list of records is expected")
            where = {key: record.item[key] for key in PLACE if key in record.item}
            yield MetadataRecord(record.where, {**where, **one})
