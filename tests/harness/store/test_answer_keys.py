from __future__ import annotations

from pathlib import Path

from dtbench.harness.store.answer_keys import AnsweredKeys, AnswerKeys, KnownAnswers, find_left_out
from dtbench.harness.store.growth import AskedAnswers
from dtbench.harness.store.jsonl import Key
from dtbench.harness.store.record_files import FilePart

EVERY = AskedAnswers(None, None)


def test_keys_are_a_set_of_pairs_with_numbers() -> None:
    keys = AnswerKeys([("a", 0), ("a", 1), ("1 a", 0), ("a", 0)])
    assert set(keys) == {("a", 0), ("a", 1), ("1 a", 0)}
    assert [keys.number(key) for key in keys] == [0, 1, 2]
    assert (keys.key(2), keys.samples) == (Key("1 a", 0), {0, 1})
    assert ("a", 2) not in keys
    assert keys - {("a", 1)} == {("a", 0), ("1 a", 0)}


def test_the_last_answer_stands_and_a_failure_never_in_its_place() -> None:
    lines = [("a", True), ("a", False), ("a", True), ("b", True), ("b", True), ("c", False), ("c", False)]
    left = find_left_out(((Key(id_, 0), failed) for id_, failed in lines), EVERY)
    assert (left.replaced, left.others, left.unasked.count) == ({0, 2, 3, 5}, set(), 0)


def test_what_was_not_asked_for_last_is_left_out_and_answers_among_it_are_counted() -> None:
    lines = [(Key("a", 0), False), (Key("a", 1), False), (Key("b", 0), False), (Key("b", 1), True)]
    left = find_left_out(lines, AskedAnswers(frozenset({"a"}), 1))
    assert left.others == {1, 2, 3}
    assert (left.unasked.count, left.unasked.other_questions, left.unasked.samples) == (2, True, 2)


def test_answers_whose_every_record_failed_are_not_there() -> None:
    answered = AnsweredKeys()
    lines = [("a", True), ("b", True), ("a", False), ("c", False), ("c", True)]
    find_left_out(((Key(id_, 0), failed) for id_, failed in lines), EVERY, answered)
    assert (list(answered), len(answered)) == ([("a", 0), ("c", 0)], 2)
    assert ("b", 0) not in answered
    assert answered - {("c", 0)} == {("a", 0)}


def test_what_is_known_of_records_holds_for_these_files_and_questions_alone() -> None:
    parts, more = [FilePart(Path("birds.jsonl"), 10, 1)], [FilePart(Path("birds.jsonl"), 20, 2)]
    known, other = KnownAnswers(), KnownAnswers()
    answered = known.find("birds", parts, EVERY, [(Key("a", 0), True), (Key("a", 0), False)])
    known.keep_answered("birds", parts, answered)
    other.update(known)
    left = other.left_out("birds", parts, EVERY)
    assert left is not None
    assert left.replaced == {0}
    assert other.left_out("birds", more, EVERY) is None
    assert other.left_out("birds", parts, AskedAnswers(frozenset({"a"}), None)) is None
    assert other.take_answered("birds", parts) is answered
    assert other.take_answered("birds", parts) is None
    assert known.take_answered("birds", more) is None
