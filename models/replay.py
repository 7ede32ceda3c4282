"""Answers that were given before: prediction files, and records of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.errors import DataError, ModelError, UserError
from dtbench.harness.records import Record, read_json
from dtbench.harness.schema import Prompt, Response

KEYS = ("response", "text", "answers", "model_output", "model_prediction", "answer_prediction", "output", "prediction")
"""Names under which files hold answers."""


class Replay:
    """Gives each question the answer that a file has for its id; repeats in the order of the file."""

    listens = False
    rate = 16000
    limit_seconds: float | None = None

    def __init__(self, *, file: Path, key: str | None = None) -> None:
        records = _read(file)
        self._file = file
        self._key = key or _key_of(file, records)
        self._answers = _answers(records, self._key)
        if not self._answers:
            raise UserError(f"-M file={file}: no record holds an id and a text under {self._key!r}.")

    async def generate(self, prompt: Prompt) -> Response:
        """The answer of the file, word for word."""
        answers = self._answers.get(prompt.id, ())
        if prompt.repeat >= len(answers):
            there = f"{len(answers)} answer{'s' * (len(answers) != 1)}" if answers else "no answer"
            wanted = f", number {prompt.repeat + 1} was asked for" if answers else ""
            raise ModelError(f"{self._file.name} holds {there} to {prompt.id!r}{wanted}", again=False)
        return answers[prompt.repeat]

    def describe(self) -> Mapping[str, Any]:
        """The file and a hash of its answers."""
        import hashlib

        digest = hashlib.sha256()
        for id_, answers in sorted(self._answers.items()):
            digest.update(repr((id_, [(one.text, one.finish_reason) for one in answers])).encode())
        return {"name": "replay", "file": self._file.name, "key": self._key, "sha256": digest.hexdigest()}

    async def aclose(self) -> None:
        """Nothing is held."""


def _read(file: Path) -> Sequence[Record]:
    try:
        records = read_json(file)
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
    if not records:
        raise UserError(f"-M file={file}: there is no record in it; objects with an id and a text are expected.")
    return records


def _key_of(file: Path, records: Sequence[Record]) -> str:
    """The one name under which this file holds answers."""
    found = [key for key in KEYS if any(key in record.item for record in records)]
    if not found:
        there = ", ".join(list(dict.fromkeys(key for record in records for key in record.item))[:12]) or "none"
        raise UserError(f"-M file={file}: no answers under {', '.join(KEYS)}: name the key with -M key=NAME ({there}).")
    for other in found[1:]:
        if any(other in item and item[other] != item.get(found[0]) for _, item in records):
            raise UserError(
                f"-M file={file}: answers under {' and under '.join(found)} differ: name one with -M key=NAME."
            )
    return found[0]


def _answers(records: Sequence[Record], key: str) -> Mapping[str, Sequence[Response]]:
    placed: dict[str, list[tuple[int, Response]]] = defaultdict(list)
    for record in records:
        item = record.item
        if key not in item:
            continue  # a record of a run whose question failed: that it is missing is said when it is asked for
        id_ = item.get("id")
        if isinstance(id_, bool) or not isinstance(id_, str | int):
            raise UserError(f"-M file: {record.wrong(f'an id is expected beside {key!r}, found {id_!r}')}")
        so_far = placed[str(id_)]
        first = item["sample"] if isinstance(item.get("sample"), int) else len(so_far)
        so_far.extend((first + nth, one) for nth, one in enumerate(_responses(record, item[key])))
    return {id_: [one for _, one in sorted(answers, key=lambda pair: pair[0])] for id_, answers in placed.items()}


def _responses(record: Record, value: object) -> list[Response]:
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
