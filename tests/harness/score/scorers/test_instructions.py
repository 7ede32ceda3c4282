from __future__ import annotations

import json
from pathlib import Path

from dtbench.harness.score.scorers.instructions import RULES, count_sentences, follows

GOLDEN = Path(__file__).parents[3] / "golden"


def test_the_rules_say_of_recorded_answers_what_the_script_says() -> None:
    cases = [json.loads(line) for line in (GOLDEN / "mmau_pro_instructions.jsonl").read_text("utf-8").splitlines()]
    assert len(RULES) == 27
    assert {case["rule"] for case in cases} >= RULES.keys()
    other = [
        case["said"]
        for case in cases
        if follows(case["rule"], case["said"], case["kwargs"], case["question"]) != case["correct"]
    ]
    assert other == ["A b. C d. E f. G h.", "A. B. C."]  # single letters, where the model of NLTK sees initials


def test_sentences_are_counted_as_nltk_counts_them_but_for_odd_ones() -> None:
    cases = [json.loads(line) for line in (GOLDEN / "mmau_pro_sentences.jsonl").read_text("utf-8").splitlines()]
    other = [case["text"] for case in cases if count_sentences(case["text"]) != case["sentences"]]
    assert other == ["A. B. C.", "A b. C d. E f. G h.", "What?? No!!", "OK. then. Yes."]


def test_what_a_rule_lacks_or_an_unknown_rule_is_not_followed() -> None:
    assert not follows("Number Bullets", "* one", {})
    assert not follows("Number Words (at least)", "one", {"N": None})
    assert not follows("Include Keywords", "one", {"keywords": None})
    assert not follows("No Such Rule", "one", {})
