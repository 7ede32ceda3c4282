"""Questions given in Python as rows: dicts or Samples, a DataFrame, or a data set of `datasets`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError, UserError, did_you_mean
from dtbench.harness.core.memory_clips import clip_of_value
from dtbench.harness.core.schema import Clip, Sample

FIELDS = ("id", "question", "choices", "answer", "audio")
"""What a row has; `id` may be absent."""
ANSWER_KINDS = ("text", "letter", "index")
_OPTIONAL = ("question", "choices", "audio")
_PLAIN = (str, int, float, bool, type(None))


class RowLayout(NamedTuple):
    """Where a row has what a question needs."""

    columns: Mapping[str, str | None]
    """Column by field; None for a field that no row has."""
    groups: Sequence[str]
    """Columns to report by."""
    answer: str
    """One of ANSWER_KINDS: how the right option is named."""
    is_open: bool = False
    """Whether a question may have no options, and any answer, or several: a scorer was named."""


def read_rows(rows: Any, name: str, layout: RowLayout) -> Iterator[Sample]:
    """Yield a sample for each row; a UserError or a DataError that names the row and the field where it is none."""
    if not isinstance(name, str) or not name.strip():
        raise UserError(f"Task.of: name is {name!r}, and a text is expected, such as name='birds'.")
    for field in layout.columns:
        if field not in FIELDS:
            raise UserError(f"Task.of: columns has {field!r}, which is no field. {did_you_mean(field, FIELDS)}")
    if layout.answer not in ANSWER_KINDS:
        raise UserError(f"Task.of: answer is {layout.answer!r}. {did_you_mean(str(layout.answer), ANSWER_KINDS)}")
    columns = {field: layout.columns.get(field, field) for field in FIELDS}
    groups = [layout.groups] if isinstance(layout.groups, str) else layout.groups
    count = 0
    for sample in _samples(rows, name, RowLayout(columns, groups, layout.answer, layout.is_open)):
        count += 1
        yield sample
    if not count:
        raise UserError(f"Task.of: {name} has no question: the rows are empty.")


def _samples(rows: Any, name: str, layout: RowLayout) -> Iterator[Sample]:
    clips: dict[bytes, str] = {}
    for number, row in enumerate(_rows(rows, layout.columns["audio"])):
        if isinstance(row, Sample):
            yield row
        elif isinstance(row, Mapping):
            yield _Row(row, number, name, clips).sample(layout)
        else:
            what = f"it is {type(row).__name__}, and a dict or a dtbench.Sample is expected"
            raise DataError(f"{name}, row {number}: {what}.")


def _rows(rows: Any, audio: str | None) -> Iterable[Any]:
    """Return the rows of a table, of whatever kind; a text or a dict is none."""
    if hasattr(rows, "cast_column") and hasattr(rows, "features"):
        return dataset_rows(rows, audio)
    if hasattr(rows, "iloc") and hasattr(rows, "to_dict"):  # pandas
        columns = [str(column) for column in rows.columns]
        return (dict(zip(columns, values, strict=True)) for values in rows.itertuples(index=False, name=None))
    for method in ("to_dicts", "to_pylist"):  # polars, pyarrow
        if hasattr(rows, method):
            listed: Iterable[Any] = getattr(rows, method)()
            return listed
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        what = type(rows).__name__
        raise UserError(f"Task.of: the rows are {what}, and a list of dicts, a DataFrame or a Dataset is expected.")
    return rows


@dataclass(frozen=True, slots=True)
class ColumnClip:
    """A clip in an Audio column of a data set, read when it is needed."""

    label: str
    column: Any
    """The data set with the one column of encoded bytes."""
    row: int

    def read(self) -> bytes:
        """Return the encoded bytes, as published."""
        (data,) = self.column[self.row].values()
        if not data:
            raise DataError(f"{self.label}: the column has no audio bytes in this row.")
        return bytes(data)


def dataset_rows(data: Any, audio: str | None) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a `datasets.Dataset` with its clips undecoded: only the columns beside them are read."""
    features: Mapping[str, Any] = data.features or {}
    import datasets

    column = features.get(audio) if audio is not None else None
    inner = getattr(column, "feature", column[0] if isinstance(column, list) and column else None)
    if audio is not None and type(inner).__name__ == "Audio":  # several clips in each row
        yield from data.cast_column(audio, datasets.List(datasets.Audio(decode=False)))
        return
    if audio is None or type(column).__name__ != "Audio":
        yield from data
        return
    encoded_data = data.cast_column(audio, datasets.Audio(decode=False))
    if not hasattr(data, "flatten"):  # a stream, whose rows come once
        yield from encoded_data
        return
    flat = encoded_data.flatten()
    encoded = flat.select_columns([f"{audio}.bytes"])
    there = _has_bytes(encoded)
    rest = flat.remove_columns([f"{audio}.bytes"])
    for number, row in enumerate(rest):
        path = row.pop(f"{audio}.path")
        if there[number]:
            yield {**row, audio: ColumnClip(path or f"row {number}", encoded, number)}
        else:
            yield {**row, audio: path}


def _has_bytes(column: Any) -> Sequence[bool]:
    """Return which rows have bytes, without reading them."""
    found: list[bool] = []
    for batch in column.with_format("arrow").iter(256):
        found += batch.column(0).is_valid().to_pylist()
    return found


class _Row(NamedTuple):
    """A row, and where it stands."""

    values: Mapping[str, Any]
    number: int
    task: str
    clips: dict[bytes, str]
    """The label of each clip in memory, by a hash of its bytes."""

    def sample(self, layout: RowLayout) -> Sample:
        columns = {**layout.columns}
        if columns["choices"] == "choices" and "choices" not in self.values and "options" in self.values:
            columns["choices"] = "options"  # as a run's own questions have them
        if layout.is_open and columns["choices"] == "choices" and "choices" not in self.values:
            columns["choices"] = None
        choices = self._choices(columns["choices"], may_be_empty=layout.is_open)
        taken = set(columns.values()) | {"groups"}
        id_ = self._id(columns["id"])
        question = self._text("question", columns["question"])
        answers = self._answers(layout, columns["answer"], choices)
        rest = {key: value for key, value in self.values.items() if key not in taken and isinstance(value, _PLAIN)}
        answer, *others = answers
        published = answers if others else answer
        fields = {"id": id_, "question": question, "choices": list(choices), "answer": published}
        groups = self._groups(layout.groups)
        item = {**{key: None if _is_missing(value) else value for key, value in rest.items()}, **fields}
        clips = self._clips(columns["audio"])
        return Sample(id_, question, choices, answer, groups=groups, item=item, clips=clips)

    def wrong(self, what: str) -> DataError:
        """Return the error that says what is wrong with this row."""
        return DataError(f"{self.task}, row {self.number}: {what}.")

    def _get(self, field: str, column: str | None) -> Any:
        if column is None:
            return None
        if column not in self.values:
            known = ", ".join(map(str, self.values)) or "none"
            hint = f"columns={{{field!r}: 'NAME'}} names another"
            if field in _OPTIONAL:
                hint += f", columns={{{field!r}: None}} says that there is none"
            raise self.wrong(f"the field {column!r} is missing; found: {known}; {hint}")
        value = self.values[column]
        return None if _is_missing(value) else value

    def _id(self, column: str | None) -> str:
        if column is None or column not in self.values:
            return str(self.number)
        value = self._get("id", column)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise self.wrong(f"{column} is {value!r}, and a text or a whole number is expected")
        return str(int(value))

    def _text(self, field: str, column: str | None) -> str:
        if column is None:  # it is in the clip alone
            return ""
        value = self._get(field, column)
        if not isinstance(value, str):
            raise self.wrong(f"{column or field} is {value!r}, and a text is expected")
        return value

    def _choices(self, column: str | None, *, may_be_empty: bool) -> tuple[str, ...]:
        value = self._get("choices", column)
        if value is None and (column is None or may_be_empty):
            return ()
        if hasattr(value, "tolist"):
            value = value.tolist()
        if isinstance(value, str | bytes) or not isinstance(value, list | tuple):
            raise self.wrong(f"{column} is {value!r}, and a list of texts is expected")
        for one in value:
            if not isinstance(one, str):
                raise self.wrong(f"{column} holds {one!r}, and a list of texts is expected")
        return tuple(value)

    def _answer(self, column: str | None, choices: Sequence[str], kind: str) -> str | None:
        value = self._get("answer", column)
        if value is None:
            return None
        if kind == "text":
            if not isinstance(value, str):
                hint = "; answer='index' reads its place, from 0" if hasattr(value, "__index__") else ""
                raise self.wrong(f"{column} is {value!r}, and the right option's text is expected{hint}")
            return value
        place = -1
        if kind == "letter" and isinstance(value, str):
            place = ascii_uppercase.find(value.strip(" ().").upper() or "?")
        elif kind == "index" and hasattr(value, "__index__"):
            place = int(value)
        if not 0 <= place < len(choices):
            expected = "its letter" if kind == "letter" else "its place, from 0,"
            raise self.wrong(f"{column} is {value!r}, and {expected} among {len(choices)} choices is expected")
        return choices[place]

    def _answers(self, layout: RowLayout, column: str | None, choices: Sequence[str]) -> list[str | None]:
        """Return the right option, or what is right of an open question: a text, a number, or several of them."""
        if choices or not layout.is_open:
            return [self._answer(column, choices, layout.answer)]
        value = self._get("answer", column)
        if hasattr(value, "tolist"):
            value = value.tolist()
        several = value if isinstance(value, list | tuple) else [] if value is None else [value]
        for one in several:
            if not isinstance(one, str | int | float):
                raise self.wrong(f"{column} is {value!r}, and a text, a number or a list of them is expected")
        return [str(one) for one in several] or [None]

    def _clips(self, column: str | None) -> list[Path | Clip]:
        """Return the clip, or those of a list in order."""
        value = self._get("audio", column)
        if value is None:
            if column is None:
                return []
            raise self.wrong(f"{column} is empty, and a path, bytes or decoded audio is expected")
        label = f"{self.task}, row {self.number}"
        if not _is_list_of_clips(value):
            return [self._clip(value, column, label)]
        return [self._clip(one, f"{column}[{place}]", f"{label}, clip {place + 1}") for place, one in enumerate(value)]

    def _clip(self, value: Any, column: str | None, label: str) -> Path | Clip:
        if isinstance(value, ColumnClip):
            return value
        if isinstance(encoded := value.get("bytes") if isinstance(value, Mapping) else value, bytes):
            digest = hashlib.blake2b(encoded, digest_size=16).digest()
            label = self.clips.setdefault(digest, label)  # questions about one clip are not independent
        clip = clip_of_value(value, label)
        if clip is None:
            raise self.wrong(f"{column} is {type(value).__name__}, and a path, bytes or decoded audio is expected")
        return clip

    def _groups(self, headings: Sequence[str]) -> dict[str, str]:
        own = self.values.get("groups") if not headings else None
        given = dict(own) if isinstance(own, Mapping) else {name: self._get("groups", name) for name in headings}
        return {str(heading): str(value) for heading, value in given.items() if value is not None}


def _is_list_of_clips(value: object) -> bool:
    """Whether it holds clips, and no samples of a single one."""
    if getattr(getattr(value, "dtype", None), "hasobject", False):  # as pandas reads lists of Parquet
        return True
    return isinstance(value, list | tuple) and not any(isinstance(one, int | float) for one in value)


def _is_missing(value: object) -> bool:
    """Whether it stands for no value: None, NaN or pandas.NA."""
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ in {"NAType", "NaTType"}
