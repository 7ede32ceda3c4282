"""How a benchmark's own script reads a whole file of predictions, where that differs from how it is read here.

Here every record counts that can be read. A script may stop at a file, or read less of it: then its own number is
another one, or none, and a note says so.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from dtbench.harness.core.scorer import Scorer, ScriptInput

Layout = Literal["list", "lines"]
_FORMS = {"list": "one JSON list", "lines": "one record per line"}


class ScriptFile(NamedTuple):
    """A prediction file as a script opens it."""

    path: Path
    content: bytes
    has_broken: bool
    """Whether a part of it is not a record."""

    @property
    def layout(self) -> Layout:
        """Return what the file holds, whatever its name."""
        return "list" if self.content.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[") else "lines"

    @property
    def has_mark(self) -> bool:
        """Whether it begins with a byte order mark, which Python's JSON reader refuses."""
        return self.content.startswith(codecs.BOM_UTF8)

    @property
    def is_odd(self) -> bool:
        """Whether it is anything but a record on each line."""
        return self.has_broken or self.layout == "list"

    def lines(self) -> list[str]:
        """Return its lines as Python's own reader splits and strips them."""
        text = self.content.decode("utf-8", "surrogatepass")
        whole = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return [line.strip() for line in (whole[:-1] if whole[-1] == "" else whole)]


def loses_first_line(script: ScriptInput | None, file: ScriptFile) -> bool:
    """Whether the script passes over the first line, because of the byte order mark in it."""
    if script is None or not script.skips_broken_lines or not file.has_mark or file.layout == "list":
        return False
    return bool(file.lines()[0].lstrip("\ufeff").strip())  # the mark may stand on a line of its own


def script_notes(scorer: Scorer, key: str, file: ScriptFile) -> Iterator[str]:
    """Say where the official script reads less of a file than is read here, or stops at it."""
    script = scorer.script_input
    if script is None:
        return
    if why := _refusal(script, file):
        yield f"the official script has no score for this file: {why}"
    elif key != scorer.prediction_keys[0]:
        yield (
            f"the official script reads {scorer.prediction_keys[0]!r}, and the predictions here are in {key!r}: it "
            f"{script.without_key}"
        )


def _refusal(script: ScriptInput, file: ScriptFile) -> str:
    """Say why the script stops at a file, or finds nothing in it; empty where it reads all of it."""
    expected = next((layout for end, layout in script.layouts.items() if file.path.name.endswith(end)), None)
    if expected is None:
        ends = " or ".join(f".{end}" for end in script.layouts)
        return f"it knows a file by its name, which must end with {ends}"
    if script.skips_broken_lines:
        return _refusal_of_lines(file) if file.is_odd else ""
    if file.has_mark:
        return "it begins with a byte order mark, at which the script stops; save it without one"
    if expected != file.layout:
        return f"it expects {_FORMS[expected]}, and this is {_FORMS[file.layout]}"
    if expected == "lines" and (blank := next((n for n, line in enumerate(file.lines(), 1) if not line), None)):
        return f"line {blank} is blank, and the script stops there"
    return ""


def _refusal_of_lines(file: ScriptFile) -> str:
    """Read a file line by line as a script does that passes over what is no JSON."""
    records = 0
    for number, line in enumerate(file.lines(), start=1):
        try:
            value = json.loads(line)
        except json.JSONDecodeError:
            continue
        except (ValueError, RecursionError):
            return f"line {number} is JSON that Python cannot read, and the script stops there"
        if not isinstance(value, dict):
            return f"line {number} is not a record but another JSON value, and the script stops there"
        records += 1
    if file.layout == "list":
        return f"it expects one record per line, and reads {records} of this list"
    return ""
