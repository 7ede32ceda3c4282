"""The columns of the samples frame: their order, their types, and the names of those for a benchmark's groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from dtbench.harness.acoustics.columns import COLUMNS as ACOUSTIC

if TYPE_CHECKING:
    import pyarrow

Kind = Literal["string", "strings", "whole", "real", "yes or no", "time"]
FIXED: Mapping[str, Kind] = MappingProxyType(
    {
        "run": "string",
        "task": "string",
        "id": "string",
        "sample": "whole",
        "question": "string",
        "choices": "strings",
        "answer": "string",
        "choice": "string",
        "correct": "yes or no",
        "official": "yes or no",
        "counted": "yes or no",
        "level": "string",
        "how": "string",
        "thinking": "string",
        "response": "string",
        "finish_reason": "string",
        "input_tokens": "whole",
        "output_tokens": "whole",
        "seconds": "real",
    }
)
"""What every samples frame begins with, in this order."""
BEHIND: Mapping[str, Kind] = MappingProxyType(
    {"error": "string", "error_message": "string", "clip_hash": "string", "clip_seconds": "real"}
)
"""What follows the groups; rubrics and acoustics come after it."""
CATEGORIES = ("run", "task", "level", "how", "finish_reason", "error")
"""The columns of few values, besides those of the groups."""
RUBRIC = "rubric_"
"""How the columns of a judge's marks begin."""
MARK = "mark"
"""The column of official marks of a task that names its scorers; `mark_` begins those of each scorer."""
_NO_WORD = re.compile(r"[\W_]+")


class GroupColumns:
    """Names a column for each heading of groups: its own words in lower case, with underscores.

    A name that another column of the frame has, or may have, gets `group_` in front. Headings of different tasks that
    come to one name share the column; of one task, the second gets a number.
    """

    def __init__(self) -> None:
        self._of_task: dict[str, dict[str, str]] = {}

    def name(self, task: str, heading: str) -> str:
        """Return the name of the column of a task's heading."""
        names = self._of_task.setdefault(task, {})
        if heading not in names:
            plain = plain_name(heading)
            taken = plain in {*FIXED, *BEHIND, *ACOUSTIC, MARK} or plain.startswith((RUBRIC, f"{MARK}_"))
            wanted = f"group_{plain}" if taken else plain
            free, number = wanted, 2
            while free in names.values():
                free, number = f"{wanted}_{number}", number + 1
            names[heading] = free
        return names[heading]

    def names(self) -> list[str]:
        """Return every name that was given, in the order of their first use."""
        return list(dict.fromkeys(name for names in self._of_task.values() for name in names.values()))


def plain_name(text: str) -> str:
    """Write a text as the name of a column: lower case, an underscore for whatever is no letter or digit."""
    return _NO_WORD.sub("_", text.lower()).strip("_") or "value"


def ordered(names: Iterable[str], groups: Iterable[str]) -> list[str]:
    """Return the names of a table's columns in the order of the frame."""
    front = [*FIXED, *groups, *BEHIND]
    return [*front, *(name for name in names if name not in set(front))]


def arrow_type(kind: Kind) -> pyarrow.DataType:
    """Return the type of a column in Arrow."""
    import pyarrow

    types = {
        "string": pyarrow.string(),
        "strings": pyarrow.list_(pyarrow.string()),
        "whole": pyarrow.int64(),
        "real": pyarrow.float64(),
        "yes or no": pyarrow.bool_(),
        "time": pyarrow.timestamp("us", "UTC"),
    }
    return types[kind]


def table_from_rows(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, Kind]) -> pyarrow.Table:
    """Return a small table of rows, with null where a row lacks a column."""
    import pyarrow

    columns = {name: [row.get(name) for row in rows] for name in kinds}
    return pyarrow.table(
        {
            name: text_array(columns[name]) if kind == "string" else pyarrow.array(columns[name], arrow_type(kind))
            for name, kind in kinds.items()
        }
    )


def text_array(texts: Sequence[str | None]) -> pyarrow.Array:
    """Return texts as a column; half of a surrogate pair, which no UTF-8 holds, becomes a question mark."""
    import pyarrow

    try:
        return pyarrow.array(texts, pyarrow.string())
    except UnicodeEncodeError:
        return pyarrow.array([None if text is None else well_formed(text) for text in texts], pyarrow.string())


def well_formed(text: str) -> str:
    """Return the text as UTF-8 can hold it."""
    return text.encode("utf-8", "replace").decode()
