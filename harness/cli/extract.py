"""`dtbench extract`: read JSON lines of outputs, write JSON lines of answers."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

from dtbench.harness.cli.tables import output_file
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.options import OUTPUT, Argument, Chain, MinEvidence, Option
from dtbench.harness.extract.chain_tags import ChainTags

EXPECTED = "JSON lines with `choices` and `output`"
Source = Annotated[Path | None, Argument("[FILE]", f"{EXPECTED}; stdin if left out.", values="files")]
Out = Annotated[
    Path | None, Option("--out", "FILE", "The file to write.", panel=OUTPUT, shown="stdout", values="files")
]


@with_options
def extract_command(
    source: Source = None, out: Out = None, chain: Chain = None, min_evidence: MinEvidence = "inferred"
) -> None:
    """Extract the answer from model outputs, one JSON line each.

    Reads lines with `choices` and `output`; writes lines with `thinking`, `answer`, `choice`, `level`, `how` and
    `set_aside`. Works without a model or a data set.
    """
    answers = (_answer(where, line, chain, min_evidence) for where, line in _lines(source))
    if out is None:
        for answer in answers:
            sys.stdout.write(answer)
            sys.stdout.flush()
        return
    with output_file("--out", out) as file:
        file.writelines(answers)


def _lines(source: Path | None) -> Iterator[tuple[str, str]]:
    """Yield each line that is not blank, and its place, as soon as it is there."""
    name, offset, found = str(source) if source else "stdin", 0, False
    try:
        with source.open("rb") if source else _stdin() as file:
            for number, data in enumerate(file, start=1):
                line = data.decode("utf-8-sig" if number == 1 else "utf-8")
                offset += len(data)
                if line.strip():
                    found = True
                    yield f"{name}: line {number}", line
        if source and not found:
            raise UserError(f"{name}: no line is in it; {EXPECTED} are expected.")
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror}); {EXPECTED} are expected.") from None
    except UnicodeDecodeError as error:
        place = offset + error.start
        raise DataError(f"{name}: not UTF-8 text (byte {place}); {EXPECTED} are expected.") from None


def _stdin() -> contextlib.nullcontext[BinaryIO]:
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError(f"no input: name a file of {EXPECTED}, or pipe it in.")
    return contextlib.nullcontext(sys.stdin.buffer)


def _answer(where: str, line: str, chain: ChainTags | None, min_evidence: str) -> str:
    from dtbench.harness.extract.answer import extract
    from dtbench.harness.extract.evidence import set_weak_aside

    output, choices = _checked(where, line)
    read = set_weak_aside(extract(output, choices, chain), min_evidence)
    answer = {
        "thinking": read.thinking,
        "answer": read.answer,
        "choice": read.choice,
        "level": read.level,
        "how": read.how,
        "set_aside": read.set_aside,
    }
    return json.dumps(answer) + "\n"


def _checked(where: str, line: str) -> tuple[str, list[str]]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON ({str(error).partition(';')[0]}); {EXPECTED} are expected.") from None
    if not isinstance(record, dict):
        raise DataError(f"{where}: an object with `choices` and `output` is expected, found {line.strip()[:60]}.")
    for key in ("choices", "output"):
        if key not in record:
            raise DataError(f"{where}: `{key}` is missing; found: {', '.join(record)[:80] or 'none'}.")
    choices, output = record["choices"], record["output"]
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, str) for choice in choices):
        raise DataError(f"{where}: `choices` must be a list of texts, found {json.dumps(choices)[:60]}.")
    if not isinstance(output, str):
        raise DataError(f"{where}: `output` must be text, found {json.dumps(output)[:60]}.")
    return output, choices
