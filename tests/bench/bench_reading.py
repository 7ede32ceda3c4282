"""How well answers are read: precision and recall by level of evidence, beside the rules of MMLU-Pro and MMAR."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Sequence

from real_outputs import ReadOutput, firm_rows

from dtbench.harness.extract.answer import LEVELS, extract
from dtbench.tasks.registry import get_task

MMLU_PRO = (r"answer is \(?([A-J])\)?", r".*[aA]nswer:\s*([A-J])", r"(?s)\b([A-J])\b(?!.*\b[A-J]\b)")
"""Its rules in their order, the first that matches decides; where none does it guesses, which here is no answer."""


def read_as_mmlu_pro(output: str, choices: Sequence[str]) -> str | None:
    """Return the option whose letter MMLU-Pro's patterns find."""
    found = next((match for rule in MMLU_PRO if (match := re.search(rule, output))), None)
    place = ord(found[1]) - ord("A") if found else len(choices)
    return choices[place] if place < len(choices) else None


def read_as_mmar(output: str, choices: Sequence[str]) -> str | None:
    """Return the only option that MMAR's rule would call right, were it the gold answer."""
    task = get_task("mmar")
    rule = task.official(task.official_versions[0])
    items = [{"id": "row", "answer": choice, "choices": list(choices)} for choice in choices]
    right = [item["answer"] for item in items if rule(item, output).correct]
    return str(right[0]) if len(right) == 1 else None


def show(name: str, rows: list[ReadOutput], choices: list[str | None]) -> None:
    both = list(zip(rows, choices, strict=True))
    named = [(row, choice) for row, choice in both if choice is not None]
    right = sum(row.expect == choice for row, choice in named)
    silent = [choice for row, choice in both if row.expect is None]
    agree = sum(row.expect == choice for row, choice in both)
    print(
        f"{name:22} agrees {agree / len(rows):6.1%}   precision {right / max(1, len(named)):6.1%} of {len(named):3}"
        f"   recall {right / (len(rows) - len(silent)):6.1%}"
        f"   an option on {sum(choice is not None for choice in silent):2} of {len(silent)} silent rows"
    )


def test_precision_and_recall_by_level() -> None:
    rows = firm_rows()
    reads = [extract(row.output, row.choices) for row in rows]
    print(f"\n{len(rows)} real outputs read by a careful reader")
    for place, level in enumerate(LEVELS):
        counts = LEVELS[: place + 1]
        show(f"dtbench, {level} or firmer", rows, [read.choice if read.level in counts else None for read in reads])
    for level in LEVELS:
        of_level = [(row, read) for row, read in zip(rows, reads, strict=True) if read.level == level]
        right = sum(row.expect == read.choice for row, read in of_level)
        print(f"   {level:10} {right:3} of {len(of_level):3} right")
    show("MMLU-Pro's patterns", rows, [read_as_mmlu_pro(row.output, row.choices) for row in rows])
    show("MMAR's token rule", rows, [read_as_mmar(row.output, row.choices) for row in rows])


def test_time_beside_the_rules() -> None:
    rows = firm_rows()
    readers: dict[str, Callable[[str, Sequence[str]], object]] = {
        "dtbench": extract,
        "MMLU-Pro's patterns": read_as_mmlu_pro,
        "MMAR's token rule": read_as_mmar,
    }
    print()
    for name, read in readers.items():
        spent = []
        for row in rows:
            start = time.perf_counter()
            read(row.output, row.choices)
            spent.append(1e3 * (time.perf_counter() - start))
        print(f"{name:22} median {statistics.median(spent):.2f} ms, mean {statistics.mean(spent):.2f} ms a row")
