"""The scripts of the report become one: a function that two of them define is the later one everywhere."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "harness" / "report" / "page"
DEFINED = re.compile(r"^(?:async )?function (\w+)", re.MULTILINE)


def test_no_two_scripts_of_the_page_define_a_function_of_the_same_name() -> None:
    names = Counter(name for script in PAGE.glob("*.js") for name in DEFINED.findall(script.read_text()))
    assert len(names) > 200
    assert [name for name, count in names.items() if count > 1] == []
