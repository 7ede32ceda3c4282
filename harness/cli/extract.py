"""`dtbench extract`: JSON lines in, the answers read from them out."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from dtbench.harness.errors import DataError, MachineryError, UserError

Source = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="JSON lines with `choices` and `output`; stdin where none is named."),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write there; stdout where none is named.")]


def command(source: Source = None, out: Out = None) -> None:
    """Read the answer out of each line's `output`: thinking, answer, choice, how."""
    if source is None and sys.stdin.isatty():
        raise UserError("nothing to read: name a file of JSON lines with `choices` and `output`, or pipe it in.")
    lines = (_answer(where, line) for where, line in _lines(source))
    if out is None:
        for line in lines:
            sys.stdout.write(line)
        return
    try:
        out.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise MachineryError(f"--out {out}: could not be written ({error.strerror}).") from None


def _lines(source: Path | None) -> Iterator[tuple[str, str]]:
    name = str(source) if source else "stdin"
    try:
        raw = source.read_bytes() if source else sys.stdin.buffer.read()
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror}).") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not UTF-8 text (byte {error.start}).") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{name}: line {number}", line


def _answer(where: str, line: str) -> str:
    from dtbench.harness.extract import extract

    output, choices = _checked(where, line)
    return json.dumps(dataclasses.asdict(extract(output, choices))) + "\n"


def _checked(where: str, line: str) -> tuple[str, list[str]]:
    try:
        record = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{where}: not JSON ({error}).") from None
    if not isinstance(record, dict):
        raise DataError(f"{where}: an object with `choices` and `output` is expected, found {line[:60]}.")
    choices, output = record.get("choices"), record.get("output")
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, str) for choice in choices):
        raise DataError(f"{where}: `choices` must be a list of texts, found {json.dumps(choices)[:60]}.")
    if not isinstance(output, str):
        raise DataError(f"{where}: `output` must be text, found {json.dumps(output)[:60]}.")
    return output, choices
