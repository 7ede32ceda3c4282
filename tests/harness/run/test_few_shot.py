from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from chat_server import Turn, chatting
from command import call
from sounds import encoded, sine

from dtbench import Sample, Task
from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.run.few_shot import as_turn, choose_examples, without_examples
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.harness.store.run_folder import StoredRun

CLIPS = [Path(f"{number}.wav") for number in range(4)]
QUESTIONS = [
    Sample(f"q{place}", f"Which {place}?", ("a bell", "a horn"), "a bell", clip) for place, clip in enumerate(CLIPS)
]
ELSEWHERE = Sample("e", "Both?", ("yes", "no"), "no", clips=CLIPS[:2])
OPEN = Sample("open", "What is it?", (), "a bell", CLIPS[0])


class Shown(Task):
    name = "shown"

    def __init__(self, *given: Sample) -> None:
        self._given = given

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        return QUESTIONS

    def examples(self, data_dir: Path | None) -> Sequence[Sample]:
        return self._given


def plan_of(*examples: Sample, **form: Any) -> TaskPlan:
    task = Shown(*examples)
    chosen = choose_examples(task, None, len(examples))
    asked = without_examples(task.load(None), chosen)
    return TaskPlan(task, asked.data, 1, PromptForm(**form), examples=chosen, left_out=asked.left_out)


def test_the_first_examples_stand_before_each_question_with_their_own_clips() -> None:
    plan = plan_of(QUESTIONS[1], ELSEWHERE)
    (first, second) = plan.prompt(0, 0).examples
    assert first.text.startswith("Which 1?\n(A) a bell\n(B) a horn\n")
    assert (first.answer, first.clips) == ("a bell", (CLIPS[1],))
    assert (second.answer, second.clips) == ("no", tuple(CLIPS[:2]))
    assert plan.most_clips == 4
    assert choose_examples(plan.task, None, 1) == (QUESTIONS[1],)


@pytest.mark.parametrize(
    ("style", "closed", "open_"),
    [("direct", "a bell", "a bell"), ("think", "Answer: A", "Answer: a bell"), ("forced", "A", "a bell")],
)
def test_an_example_is_answered_as_its_style_asks(style: str, closed: str, open_: str) -> None:
    task = Shown()
    if style != "forced":
        assert as_turn(task, OPEN, style, task.prompt_for(OPEN, style)).answer == open_
    assert as_turn(task, QUESTIONS[0], style, task.prompt_for(QUESTIONS[0], style)).answer == closed


def test_options_of_examples_are_rotated_with_those_of_questions() -> None:
    (example,) = plan_of(QUESTIONS[1], permute=1, answer="forced").prompt(0, 0).examples
    assert "(A) a horn\n(B) a bell" in example.text
    assert example.answer == "B"


def test_a_question_is_never_its_own_example() -> None:
    elsewhere = Sample("other id", QUESTIONS[2].question, QUESTIONS[2].choices[::-1], "a bell", CLIPS[2])
    same_id = Sample("q3", "Another question?", ("a bell", "a horn"), "a bell", CLIPS[3])
    plan = plan_of(QUESTIONS[1], elsewhere, same_id)
    assert (list(plan.data.ids), plan.left_out) == (["q0", "q3"], 2)
    assert plan.data.notes == ("2 questions are examples and are not asked (--num-fewshot)",)


def test_a_clip_of_an_example_is_never_what_is_heard_in_place_of_another() -> None:
    plan = plan_of(QUESTIONS[1], ELSEWHERE, audio="shuffle")
    assert {plan.prompt(place, 0).clips for place in range(3)} == {(CLIPS[2],), (CLIPS[3],)}


def test_examples_are_part_of_what_a_run_is() -> None:
    none, one, other = plan_of(), plan_of(QUESTIONS[0]), plan_of(QUESTIONS[1])
    assert len({plan.prompt_hash() for plan in (none, one, other)}) == 3
    assert "examples" not in none.settings()
    about = one.settings()
    assert (about["num_fewshot"], about["examples"]["ids"], about["examples"]["left_out"]) == (1, ["q0"], 1)


def test_examples_that_are_not_there_are_refused() -> None:
    with pytest.raises(UserError, match="--num-fewshot 2: shown has no examples: leave it out"):
        choose_examples(Shown(), None, 2)
    with pytest.raises(UserError, match="shown has no more examples than 1: --num-fewshot 1 takes all"):
        choose_examples(Shown(ELSEWHERE), None, 2)
    wrong = Sample("wrong", "Both?", ("yes", "no"), "maybe", CLIPS[0])
    with pytest.raises(DataError, match="the example 'wrong' has the answer 'maybe', and the text of the right option"):
        choose_examples(Shown(wrong), None, 1)


def test_examples_reach_an_endpoint_as_earlier_turns_and_keep_their_clips_in_a_listening_test(tmp_path: Path) -> None:
    for number in range(3):
        clip = encoded(sine(300 + 200 * number, 0.5, 16000), 16000)
        (tmp_path / f"{number}.wav").write_bytes(clip.data)
    task = tmp_path / "task.py"
    task.write_text(
        textwrap.dedent("""
        from pathlib import Path
        from dtbench import Sample, Task

        class Birds(Task):
            name = "birds"

            def samples(self, data_dir):
                for n in range(3):
                    yield Sample(f"q{n}", f"Which {n}?", ("x", "y"), "y", Path(__file__).parent / f"{n}.wav")

            def examples(self, data_dir):
                return list(self.samples(data_dir))[:1]
        """)
    )
    run = ("run", "--task-file", task, "--num-fewshot", "1", "--out", tmp_path / "run")
    with chatting(default=Turn("y")) as chat:
        done = call(*run, "--model", chat.url)
        heard = {mode: call(*run, "--model", chat.url, "--audio", mode).code for mode in ("silence", "mp3:16k")}
        other = call("run", "--task-file", task, "--model", chat.url, "--out", tmp_path / "run")
        seen = [asked.json() for asked in chat.asked]
    assert (done.code, heard) == (0, {"silence": 0, "mp3:16k": 0})
    assert "birds: 1 question is one of the examples and is not asked (--num-fewshot)" in done.err
    roles = {json.dumps([message["role"] for message in body["messages"]]) for body in seen}
    assert roles == {'["user", "assistant", "user"]'}
    shown = {json.dumps(body["messages"][:2]) for body in seen}
    assert len(shown) == 1
    asked = {json.dumps(body["messages"][2]) for body in seen}
    assert len(asked) == 6
    assert StoredRun.open(tmp_path / "run").info["tasks"]["birds"]["num_fewshot"] == 1
    assert "was made with another --num-fewshot (1; now 0)" in other.refusal()
