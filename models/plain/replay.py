"""Replay answers of a prediction file, or of the records of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.disk_list import DiskList
from dtbench.harness.core.errors import DataError, ModelError, UserError
from dtbench.harness.core.records import MetadataRecord, read_json
from dtbench.harness.core.schema import Prompt, Response
from dtbench.harness.extract.chain_tags import ChainTags

KEYS = ("response", "text", "answers", "model_output", "model_prediction", "answer_prediction", "output", "prediction")
"""Keys under which files have answers."""


class Replay:
    """Answers each question as a file does for its id; repeats come in the order of the file."""

    listens = False
    rate = 16000
    limit_seconds: float | None = None

    def __init__(self, *, file: Path, key: str | None = None, chain: ChainTags | None = None) -> None:
        self._file = file
        self._chain = chain
        records = _Records(file, KEYS if key is None else (key,))
        self._key = key or records.key()
        self._records = records.on_disk
        self._places, self._content = _index(records, self._key)
        if not self._places:
            raise UserError(f"-M file={file}: no record has an id and a text under {self._key!r}.")

    async def generate(self, prompt: Prompt) -> Response:
        """Return the answer of the file, verbatim."""
        answers = self._answers(prompt.id)
        if prompt.repeat >= len(answers):
            count = f"{len(answers)} answer{'s' * (len(answers) != 1)}" if answers else "no answer"
            missing = f", number {prompt.repeat + 1} was requested" if answers else ""
            raise ModelError(f"{self._file.name} has {count} to {prompt.id!r}{missing}", again=False)
        return answers[prompt.repeat]

    def _answers(self, id_: str) -> Sequence[Response]:
        """Return all answers to a question, in order."""
        numbered: list[tuple[int, Response]] = []
        for place in self._places.get(id_, ()):
            record = MetadataRecord(*self._records.read(place))
            sample = record.item.get("sample")
            first = sample if isinstance(sample, int) else len(numbered)
            numbered.extend(
                (first + nth, response) for nth, response in enumerate(_responses(record, record.item[self._key]))
            )
        return [response for _, response in sorted(numbered, key=lambda pair: pair[0])]

    def describe(self) -> Mapping[str, Any]:
        """Return the file and a hash of its answers."""
        about = {"name": "replay", "file": self._file.name, "key": self._key, "sha256": self._content}
        return about if self._chain is None else {**about, "chain": list(self._chain)}

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""


class _Records:
    """The records of a file, with only their ids and possible answers; on disk, as there may be many."""

    def __init__(self, file: Path, names: Sequence[str]) -> None:
        self.on_disk = DiskList()
        self._file = file
        self._answer_keys: set[str] = set()
        self._differ: set[tuple[str, str]] = set()
        self._all_keys: dict[str, None] = {}
        fields = {"id", "sample", *names}
        for where, item in _read(file):
            there = [name for name in names if name in item]
            self._answer_keys.update(there)
            pairs = ((key, name) for name in there for key in KEYS if key != name)
            self._differ.update(pair for pair in pairs if item.get(pair[0]) != item[pair[1]])
            self._all_keys.update(dict.fromkeys(item))
            self.on_disk.append((where, {name: item[name] for name in fields & item.keys()}))
        if not len(self.on_disk):
            raise UserError(f"-M file={file}: no record in this file; objects with an id and a text are expected.")

    def key(self) -> str:
        """Return the one key under which this file has answers."""
        keys = [key for key in KEYS if key in self._answer_keys]
        where = f"-M file={self._file}"
        if not keys:
            there = ", ".join(list(self._all_keys)[:12]) or "none"
            raise UserError(f"{where}: no answers under {', '.join(KEYS)}: name the key with -M key=NAME ({there}).")
        if any((keys[0], key) in self._differ for key in keys[1:]):
            raise UserError(f"{where}: answers under {' and under '.join(keys)} differ: name one with -M key=NAME.")
        return keys[0]


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


def _index(records: _Records, key: str) -> tuple[Mapping[str, Sequence[int]], str]:
    """Return where the answers to each question lie, and a hash that does not depend on the order of questions."""
    import hashlib

    places: dict[str, Sequence[int]] = {}
    content = 0
    for place in range(len(records.on_disk)):
        record = MetadataRecord(*records.on_disk.read(place))
        if key not in record.item:
            continue  # a question of a run that failed: an error when it is asked
        id_ = record.item.get("id")
        if isinstance(id_, bool) or not isinstance(id_, str | int):
            raise UserError(f"-M file: {record.wrong(f'an id is expected beside {key!r}, found {id_!r}')}")
        before = places.get(str(id_), ())
        answers = [(response.text, response.finish_reason) for response in _responses(record, record.item[key])]
        row = repr((str(id_), record.item.get("sample", len(before)), answers)).encode()
        content += int.from_bytes(hashlib.sha256(row).digest())
        places[str(id_)] = (*before, place)
    return places, f"{content % 2**256:064x}"


def _responses(record: MetadataRecord, value: object) -> list[Response]:
    """Return the answers of a record: a text, several, or the response of a run."""
    if value is None:
        return [Response("")]
    if isinstance(value, str):
        return [Response(value)]
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        usage = value.get("usage")
        return [
            Response(value["text"], str(value.get("finish_reason", "stop")), usage if isinstance(usage, dict) else {})
        ]
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return [Response(text) for text in value]
    raise UserError(
        f"-M file: {record.wrong(f'a text or a list of texts is expected as the answer, found {value!r:.60}')}"
    )
