"""What a CI server reads of a gate: each verdict once, in its own words, and nothing that breaks XML or a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dtbench.harness.compare.gate import GateVerdict, Verdict
from dtbench.harness.compare.gate_files import verdict_sentence, write_junit, write_markdown

PASSED = GateVerdict("mmar", None, "passed", 400, 0.6, 0.595, -0.005, -0.02, 0.01, 0.03, 0.05, 0.9, None)
WORSE = PASSED._replace(task="mmsu", verdict="regressed", difference=-0.1, low=-0.14, high=-0.06, p_loss=0.0004)
OPEN = PASSED._replace(task="mini", group="beep", verdict="undecided", low=-0.05, needed=900)
FIGURES = "60.00 -> 59.50 (-0.50 points, -2.00 to +1.00 at alpha 0.05, 400 questions"
OPEN_WORDS = (
    FIGURES.replace("-2.00", "-5.00") + "): inconclusive, too few questions; about 900 questions would give 80 % power"
)


def cases(path: Path) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """The counts of a suite, and of each case its name, its kind and what it says."""
    suite = ElementTree.parse(path).getroot()
    assert suite is not None
    found = []
    for case in suite:
        (inside,) = case
        assert case.get("classname") == "dtbench.gate"
        found.append((str(case.get("name")), inside.tag, str(inside.text or inside.get("message"))))
    return suite.attrib, found


@pytest.mark.parametrize(("fails", "kind", "counts"), [(False, "skipped", ("1", "1")), (True, "failure", ("2", "0"))])
def test_each_verdict_is_one_case_and_what_is_undecided_fails_or_is_skipped(
    tmp_path: Path, fails: bool, kind: str, counts: tuple[str, str]
) -> None:
    write_junit(tmp_path / "gate.xml", [PASSED, WORSE, OPEN], undecided_fails=fails)
    about, found = cases(tmp_path / "gate.xml")
    assert about == {
        "name": "dtbench gate",
        "tests": "3",
        "failures": counts[0],
        "skipped": counts[1],
        "errors": "0",
    }
    assert found == [
        ("mmar", "system-out", verdict_sentence(PASSED)),
        ("mmsu", "failure", verdict_sentence(WORSE)),
        ("mini beep", kind, OPEN_WORDS),
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, f"{FIGURES}): any drop is less than the allowed 3 points"),
        ({"high": -0.001}, "400 questions): worse, but by less than the allowed 3 points"),
        (
            {"max_drop_given": False},
            "any drop is less than the smallest drop that so many questions can decide, 3 points",
        ),
        ({"nights": 3}, f"{FIGURES}, the last 3 nights together): any drop is"),
        ({"since_last": 0.0125}, f"{FIGURES}; since the night before +1.25): any drop is"),
        ({"verdict": "regressed", "p_loss": 0.0004}, "): worse by more than the allowed 3 points (p = 0.0004)"),
        ({"verdict": "regressed", "p_loss": 0.0004, "max_drop_given": False}, "): worse (p = 0.0004)"),
        ({"verdict": "undecided"}, "): inconclusive, too few questions"),
        ({"verdict": "undecided", "few_clusters": 7}, "inconclusive, the answers are of 7 clips or questions, and no "),
    ],
)
def test_a_verdict_is_said_with_the_figures_that_it_rests_on(changes: dict[str, Any], said: str) -> None:
    assert said in verdict_sentence(PASSED._replace(**changes))


@pytest.mark.parametrize(("verdict", "sign"), [("passed", "✅ passed"), ("regressed", "❌ regressed")])
def test_a_table_has_a_row_for_each_verdict(tmp_path: Path, verdict: Verdict, sign: str) -> None:
    write_markdown(tmp_path / "gate.md", [PASSED, WORSE, OPEN], verdict)
    lines = (tmp_path / "gate.md").read_text().splitlines()
    assert lines[0] == f"## dtbench gate: {sign}"
    assert [line for line in lines if line.startswith("| m")] == [
        "| mmar | ✅ passed | 60.00 | 59.50 | -0.50 | -2.00 to +1.00 | 400 |",
        "| mmsu | ❌ regressed | 60.00 | 59.50 | -10.00 | -14.00 to -6.00 | 400 |",
        "| mini beep | ❔ undecided | 60.00 | 59.50 | -0.50 | -5.00 to +1.00 | 400 |",
    ]
    assert lines[-1] == (
        "Allowed drop 3 points, alpha 0.05 one-sided. With this many questions, an equally good candidate passes 90 % "
        "of the time."
    )


def test_a_name_breaks_neither_the_xml_nor_the_table(tmp_path: Path) -> None:
    odd = PASSED._replace(group='a|b<i>&"\x1b[2J\nc')
    write_junit(tmp_path / "gate.xml", [odd], undecided_fails=False)
    assert cases(tmp_path / "gate.xml")[1][0][0] == 'mmar a|b<i>&"?[2J?c'
    write_markdown(tmp_path / "gate.md", [odd], "passed")
    assert '\n| mmar a\\|b&lt;i>&"?[2J?c | ✅ passed |' in (tmp_path / "gate.md").read_text()
