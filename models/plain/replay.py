"""Answers that were given before: prediction files, and records of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.disk_list import DiskList
from dtbench.harness.core.errors import DataError, ModelError, UserError
from dtbench.harness.core.records import MetadataRecord, read_json
from dtbench.harness.core.schema import Prompt, Response

KEYS = ("response", "text", "answers", "model_output", "model_prediction", "answer_prediction", "output", "prediction")
"""Names under which files hold answers."""


class Replay:
    """Gives each question the answer that a file has for its id; repeats in the order of the file."""

    listens = False
    rate = 16000
    limit_seconds: float | None = None

    def __init__(self, *, file: Path, key: str | None = None) -> None:
        self._file = file
        records = _Records(file, KEYS if key is None else (key,))
        self._key = key or records.key()
        self._spool = records.spool
        self._places, self._content = _placed(records, self._key)
        if not self._places:
            raise UserError(f"-M file={file}: no record holds an id and a text under {self._key!r}.")

    async def generate(self, prompt: Prompt) -> Response:
        """The answer of the file, word for word."""
        answers = self._answers(prompt.id)
        if prompt.repeat >= len(answers):
            there = f"{len(answers)} answer{'s' * (len(answers) != 1)}" if answers else "no answer"
            wanted = f", number {prompt.repeat + 1} was asked for" if answers else ""
            raise ModelError(f"{self._file.name} holds {there} to {prompt.id!r}{wanted}", again=False)
        return answers[prompt.repeat]

    def _answers(self, id_: str) -> Sequence[Response]:
        """All answers to a question, in order."""
        placed: list[tuple[int, Response]] = []
        for place in self._places.get(id_, ()):
            record = MetadataRecord(*self._spool.take(place))
            sample = record.item.get("sample")
            first = sample if isinstance(sample, int) else len(placed)
            placed.extend((first + nth, one) for nth, one in enumerate(_responses(record, record.item[self._key])))
        return [one for _, one in sorted(placed, key=lambda pair: pair[0])]

    def describe(self) -> Mapping[str, Any]:
        """The file and a hash of its answers."""
        return {"name": "replay", "file": self._file.name, "key": self._key, "sha256": self._content}

    async def aclose(self) -> None:
        """Nothing is held."""


class _Records:
    """The records of a file, of each only its id and what may be its answer; they lie on disk, as they may be many."""

    def __init__(self, file: Path, names: Sequence[str]) -> None:
        self.spool = DiskList()
        self._file = file
        self._found: set[str] = set()
        self._differ: set[tuple[str, str]] = set()
        self._others: dict[str, None] = {}
        kept = {"id", "sample", *names}
        for where, item in _read(file):
            self._compare(item, [name for name in names if name in item])
            self._others.update(dict.fromkeys(item))
            self.spool.put((where, {name: item[name] for name in kept & item.keys()}))
        if not len(self.spool):
            raise UserError(f"-M file={file}: there is no record in it; objects with an id and a text are expected.")

    def _compare(self, item: Mapping[str, Any], there: Sequence[str]) -> None:
        """Note which names this record has, and where it does not say the same under another."""
        self._found.update(there)
        pairs = ((one, name) for name in there for one in KEYS if one != name)
        self._differ.update(pair for pair in pairs if item.get(pair[0]) != item[pair[1]])

    def key(self) -> str:
        """The one name under which this file holds answers."""
        found = [key for key in KEYS if key in self._found]
        where = f"-M file={self._file}"
        if not found:
            there = ", ".join(list(self._others)[:12]) or "none"
            raise UserError(f"{where}: no answers under {', '.join(KEYS)}: name the key with -M key=NAME ({there}).")
        if any((found[0], other) in self._differ for other in found[1:]):
            raise UserError(f"{where}: answers under {' and under '.join(found)} differ: name one with -M key=NAME.")
        return found[0]


def _read(file: Path) -> Iterator[MetadataRecord]:
    try:
        yield from read_json(file)
    except FileNotFoundError:
        raise UserError(f"-M file={file}: there is no such file.") from None
    except IsADirectoryError:
        raise UserError(
            f"-M file={file}: this is a folder; a JSON list or JSON lines of answers is expected."
        ) from None
    except OSError as error:
        raise UserError(f"-M file={file}: cannot be read ({error.strerror}).") from None
    except DataError as error:
        raise UserError(f"-M file: {error}") from None


def _placed(records: _Records, key: str) -> tuple[Mapping[str, Sequence[int]], str]:
    """Where the sound answers to each question lie, and a hash that does not depend on the order of questions."""
    import hashlib

    places: dict[str, Sequence[int]] = {}
    content = 0
    for place in range(len(records.spool)):
        record = MetadataRecord(*records.spool.take(place))
        if key not in record.item:
            continue  # a record of a run whose question failed: that it is missing is said when it is asked for
        id_ = record.item.get("id")
        if isinstance(id_, bool) or not isinstance(id_, str | int):
            raise UserError(f"-M file: {record.wrong(f'an id is expected beside {key!r}, found {id_!r}')}")
        before = places.get(str(id_), ())
        said = [(one.text, one.finish_reason) for one in _responses(record, record.item[key])]
        row = repr((str(id_), record.item.get("sample", len(before)), said)).encode()
        content += int.from_bytes(hashlib.sha256(row).digest())
        places[str(id_)] = (*before, place)
    return places, f"{content % 2**256:064x}"


def _responses(record: MetadataRecord, value: object) -> list[Response]:
    """What a record holds: a text, several, or the response of a run."""
    if value is None:
        return [Response("")]
    if isinstance(value, str):
        return [Response(value)]
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        usage = value.get("usage")
        return [
            Response(value["text"], str(value.get("finish_reason", "stop")), usage if isinstance(usage, dict) else {})
        ]
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return [Response(one) for one in value]
    raise UserError(
        f"-M file: {record.wrong(f'a text or a list of texts is expected as the answer, found {value!r:.60}')}"
    )
