from __future__ import annotations

from typing import Any, cast

import pytest

from dtbench.harness.compare.paired_questions import AnsweredQuestions, PairedQuestions
from dtbench.harness.score.outcomes import Answer, Outcomes
from dtbench.harness.store.types import Record


def record(id_: str, choice: str | None, sample: int = 0, *, kind: str = "sea", chain: int = 0) -> Record:
    if choice == "failed":
        error = {"kind": "model", "message": "away", "attempts": 1}
        line: Any = {"id": id_, "sample": sample, "groups": {"kind": kind}, "audio": None, "error": error}
        return cast("Record", line)
    right = choice == "gull"
    official = {"correct": right, "counted": True, "why": ""}
    line = {
        "id": id_,
        "sample": sample,
        "groups": {"kind": kind},
        "audio": None,
        "response": {"text": "", "finish_reason": "stop", "usage": {}, "seconds": 0.0, "attempts": 1},
        "extraction": {"answer": "", "choice": choice, "how": "", "thinking_chars": chain},
        "score": {"official": official, "correct": right, "raw": None},
    }
    return cast("Record", line)


def share(answers: Any) -> float:
    each: list[Answer] = list(answers)
    return sum(answer.right for answer in each) / len(each)


@pytest.fixture(name="paired")
def _paired() -> PairedQuestions:
    before = [
        record("c", "gull", kind="land"),
        record("a", "gull", 0, chain=10),
        record("a", "crow", 1, chain=30),
        record("b", "crow"),
        record("only", "gull"),
        record("lost", "failed"),
    ]
    after = [
        record("a", "gull", 1, chain=8),
        record("a", "failed", 0),
        record("b", "gull"),
        record("c", None, kind="land", chain=5),
        record("lost", "gull"),
    ]
    one, other = (AnsweredQuestions(Outcomes(records)) for records in (before, after))
    assert (list(one), len(one), len(other)) == (["a", "b", "c", "only"], 4, 4)
    assert [answer.sample for answer in other["a"]] == [1]
    assert "lost" not in one
    return PairedQuestions.of(one, other, share)


def test_questions_that_both_runs_answered_are_paired_in_the_order_of_their_ids(paired: PairedQuestions) -> None:
    assert list(paired) == [
        ("a", 0.5, 1.0, ("gull", "gull"), (("kind", "sea"),), (20.0, 8.0)),
        ("b", 0.0, 1.0, ("crow", "gull"), (("kind", "sea"),), (0.0, 0.0)),
        ("c", 1.0, 0.0, ("gull", None), (("kind", "land"),), (0.0, 5.0)),
    ]
    assert [paired[2].id, paired[1:][0].id, len(paired)] == ["c", "b", 3]


def test_some_of_the_questions_are_questions_again(paired: PairedQuestions) -> None:
    assert [list(part.ids()) for part in (paired.gained(), paired.lost(), paired.with_chains())] == [
        ["a", "b"],
        ["c"],
        ["a"],
    ]
    assert {group: list(part.ids()) for group, part in paired.by_group().items()} == {
        ("kind", "sea"): ["a", "b"],
        ("kind", "land"): ["c"],
    }
    assert list(paired.where(lambda groups: ("kind", "land") in groups).ids()) == ["c"]
    assert list(paired.among({"c", "a"}).gained().ids()) == ["a"]


def test_other_shares_leave_the_rest_as_it_is(paired: PairedQuestions) -> None:
    other = paired.with_after([0.25, 0.5, 0.75])
    assert [one.after for one in other] == list(other.after_shares()) == [0.25, 0.5, 0.75]
    assert [one.before for one in other] == [0.5, 0.0, 1.0]
    assert list(paired.after_shares()) == [1.0, 1.0, 0.0]


def test_questions_about_one_clip_hang_together_and_all_others_stand_alone(paired: PairedQuestions) -> None:
    assert paired.shares({}).clusters is None
    together = paired.shares({"a": 7, "c": 7})
    assert list(together.clusters or ()) == [7, -2, 7]
    assert (together.count_clusters(), list(together.sums().sums)) == (2, [-0.5, 1.0])
    assert list(paired.gained().shares({}).gaps()) == [0.5, 1.0]
