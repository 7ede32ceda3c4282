"""What a user reads is in the words of the field: one word for one thing, and none of the hard sentences of old."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("harness", "models", "results", "tasks", "training")
NO_MESSAGES = ("harness/extract/",)
"""Patterns that match what models write, and the stored names of how an answer was found."""
PROMPTS = re.compile(r"\{(question|options|criteria|thinking|chain)\}")
"""A text for a model, not for a user."""

STORED_NAMES = {"false chain", "forced: a chain began in place of the letter", "The chain has to end where it leads."}
"""Texts that stand in stored files or in a task's items: they stay as they are."""

HOUSE_WORDS = {
    r"\b(told|held) against\b": "compared with",
    r"\bwhat (came out|it took)\b": "results, cost",
    r"\bfinished by\b": "finish reasons",
    r"\btokens (read|written|to read)\b": "input and output tokens",
    r"\bprices? (of|for) a million\b": "per million",
    r"\bfour times in five\b": "with 80 % power",
    r"\bcareful reader\b": "strict scoring",
    r"\bdecides? anew\b|\bscored? anew\b": "again",
    r"\bafter all looks\b": "adjusted p",
}
"""What is never written -> what is written in its place."""

HARD_TO_READ = (
    "Hold the chains of a run against their criteria, by a language model.",
    "Say whether a run is better than another, question by question.",
    "Pass or stop a candidate in CI: no worse than a baseline, by more than is allowed.",
    "Ask a model the questions of benchmarks, keep every answer, print the scores.",
    "The run to hold against.",
    "The run that is to pass.",
    "The chance of a wrong verdict, one-sided.",
    "The judge's name at the endpoint.",
    "Of a million tokens read and written",
    "Of a run with several answers: which, from 0.",
    "Most calls in flight.",
    "Rows in work at once.",
    "or of a package: gets the summary; repeat it.",
    "An option of the model; repeat it.",
    "finished by",
    "with as many changes,",
    "So many questions pass a candidate",
    "points or more; it is worse, by less than that",
    "choices are others there",
    "would not be taken",
    "the judge told no tokens",
    "right answers have no chain",
    "either lies in a folder inside",
    "The first two are our benchmarks and models in lm-eval",
    "A wrong answer has no",
    "tells the calls and tokens that are left",
    "What of lm-eval's audio support does not work today",
    "Where no answer came from",
    "What it took",
    "No question fits.",
    "1 where a loss is",
    "where there are too few questions to tell",
)


def messages(path: Path) -> Iterator[str]:
    """The texts in a module that a user may read, as written: docstrings of commands too, other docstrings not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = set()
    for node in ast.walk(tree):
        for child in getattr(node, "body", []) if isinstance(getattr(node, "body", []), list) else []:
            documented = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if documented and not (isinstance(node, ast.FunctionDef) and "cli" in path.parts):
                silent.add(child.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            silent.update(part for part in ast.walk(node) if part is not node)
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield "".join(map(str, parts))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in silent:
            yield node.value


def texts() -> Iterator[tuple[str, str]]:
    """Each text that a user may read, with the file that has it."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if not name.startswith(NO_MESSAGES):
                yield from ((name, " ".join(text.split())) for text in messages(path) if not PROMPTS.search(text))
    for path in [*sorted((ROOT / "harness/report/page").glob("*.js")), ROOT / "README.md", ROOT / "action.yml"]:
        yield str(path.relative_to(ROOT)), " ".join(path.read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def shown() -> list[tuple[str, str]]:
    return list(texts())


@pytest.mark.parametrize(("pattern", "word"), HOUSE_WORDS.items())
def test_one_thing_has_one_word(shown: list[tuple[str, str]], pattern: str, word: str) -> None:
    found = [(name, text[:120]) for name, text in shown if re.search(pattern, text)]
    assert found == [], f"write: {word}"


@pytest.mark.parametrize("sentence", HARD_TO_READ)
def test_a_sentence_that_was_hard_to_read_is_gone(shown: list[tuple[str, str]], sentence: str) -> None:
    assert [name for name, text in shown if sentence in text] == []


def test_a_newcomer_reads_of_reasoning_where_code_says_chain(shown: list[tuple[str, str]]) -> None:
    bare = re.compile(r"(?<!reasoning )(?<!reference )(?<![-`'\w./])\bchains?\b(?! of thought| tags|[`'=])")
    found = [(name, text[:120]) for name, text in shown if name.endswith(".py") and " " in text and bare.search(text)]
    assert [one for one in found if one[1] not in STORED_NAMES] == []


def test_the_texts_of_messages_are_found() -> None:
    found = list(messages(ROOT / "harness/compare/gate_files.py"))
    assert any("any drop is" in text for text in found)
    assert not any("as a CI server reads them" in text for text in found)
