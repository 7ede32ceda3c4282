"""Models without weights: what they answer, and that the one which knows the answers scores full marks."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

import dtbench
from dtbench import Task
from dtbench.harness.core.errors import ModelError, UserError
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import Prompt, Sample
from dtbench.harness.extract.answer import extract
from dtbench.models.backends import open_model

CLIP = Path("clip.wav")
CHOICES = ("Crow", "Jay", "Wren", "Tit")


def sample(id_: str, answer: str | None, choices: tuple[str, ...] = CHOICES) -> Sample:
    return Sample(id_, "Which bird?", choices, answer, CLIP)


def prompt(id_: str = "a", choices: tuple[str, ...] = CHOICES, *, repeat: int = 0, seed: int | None = None) -> Prompt:
    return Prompt("Which bird?", CLIP, choices=choices, id=id_, repeat=repeat, seed=seed)


def said(model: Model, asked: Prompt) -> str:
    return asyncio.run(model.generate(asked)).text


SAMPLES = [sample("a", "Jay"), sample("b", "Tit"), sample("c", "Tit"), sample("d", "Jay", ("Crow", "Jay"))]


def test_first_takes_what_is_shown_first() -> None:
    model = open_model("first", {})
    assert said(model, prompt()) == "(A) Crow"
    assert said(model, prompt(choices=("Wren", "Crow"))) == "(A) Wren"


def test_random_gives_the_same_answer_to_the_same_question_and_another_to_its_repeats() -> None:
    one, two = open_model("random", {"seed": "1"}), open_model("random", {"seed": "1"})
    asked = [prompt(str(number), repeat=repeat) for number in range(50) for repeat in range(3)]
    told = [said(one, question) for question in asked]
    assert told == [said(two, question) for question in reversed(asked)][::-1]
    assert len({tuple(told[at : at + 3]) for at in range(0, 150, 3)}) > 20


@pytest.mark.parametrize("of_the_run", [True, False])
def test_another_seed_is_another_draw(of_the_run: bool) -> None:
    told = []
    for seed in (1, 2):
        model = open_model("random", {} if of_the_run else {"seed": str(seed)})
        told.append([said(model, prompt(str(n), seed=seed if of_the_run else None)) for n in range(50)])
    assert told[0] != told[1]


def test_random_takes_each_option_about_as_often() -> None:
    model = open_model("random", {})
    counts = Counter(said(model, prompt(str(number))) for number in range(2000))
    assert len(counts) == 4
    assert all(400 < count < 600 for count in counts.values())


def test_majority_takes_the_letter_that_is_right_most_often_among_those_shown() -> None:
    model = open_model("majority", {}, SAMPLES)
    assert said(model, prompt()) == "(B) Jay"
    more = open_model("majority", {}, [*SAMPLES, sample("e", "Tit")])
    assert said(more, prompt()) == "(D) Tit"
    assert said(more, prompt(choices=("Crow", "Jay"))) == "(B) Jay"


def test_echo_gold_gives_the_right_option_in_whatever_order_they_are_shown() -> None:
    model = open_model("echo-gold", {}, SAMPLES)
    assert said(model, prompt("a")) == "(B) Jay"
    assert said(model, prompt("a", CHOICES[::-1])) == "(C) Jay"


def test_echo_gold_tells_questions_of_two_tasks_with_one_id_apart() -> None:
    model = open_model("echo-gold", {}, [sample("1", "Jay"), sample("1", "no", ("yes", "no"))])
    assert [said(model, prompt("1")), said(model, prompt("1", ("yes", "no")))] == ["(B) Jay", "(B) no"]


def test_echo_gold_gives_an_answer_that_is_none_of_the_options_as_it_is() -> None:
    assert said(open_model("echo-gold", {}, [sample("a", "Robin")]), prompt("a")) == "Robin"


@pytest.mark.parametrize("choices", [CHOICES, ("B", "A"), ("A", "B", "C"), ("yes", "yes, twice"), ("1", "2", "(A) 2")])
def test_every_right_answer_of_echo_gold_is_read_as_the_right_option(choices: tuple[str, ...]) -> None:
    for answer in choices:
        model = open_model("echo-gold", {}, [sample("a", answer, choices)])
        assert extract(said(model, prompt("a", choices)), choices).choice == answer


@pytest.mark.parametrize("name", ["echo-gold", "majority"])
def test_models_that_need_answers_refuse_data_without_any(name: str) -> None:
    with pytest.raises(UserError, match=rf"^model {name}: this data has no correct answers"):
        open_model(name, {}, [sample("a", None)])


def test_echo_gold_fails_a_question_whose_answer_it_was_not_told() -> None:
    model = open_model("echo-gold", {}, [sample("a", None), sample("b", "Jay")])
    with pytest.raises(ModelError) as raised:
        said(model, prompt("a"))
    assert not raised.value.again


@pytest.mark.parametrize("name", ["first", "random"])
def test_a_prompt_without_options_is_failed(name: str) -> None:
    with pytest.raises(ModelError, match="shows no options") as raised:
        said(open_model(name, {}), prompt(choices=()))
    assert not raised.value.again


def test_the_record_marks_those_who_were_told_answers_and_none_of_them_listens() -> None:
    marked = {}
    for name in ("first", "random", "majority", "echo-gold"):
        model = open_model(name, {}, SAMPLES)
        marked[model.describe()["name"]] = (model.describe()["oracle"], model.listens)
        asyncio.run(model.aclose())
    assert marked == {
        "first": (False, False),
        "random": (False, False),
        "majority": (True, False),
        "echo-gold": (True, False),
    }


def open_sample(id_: str, answer: str | None) -> Sample:
    return Sample(id_, "What rings?", (), answer)


def test_the_commonest_answer_is_that_of_the_majority_where_there_are_no_options() -> None:
    samples = [open_sample("a", "bell"), open_sample("b", "horn"), open_sample("c", "horn"), sample("d", "Jay")]
    model = open_model("majority", {}, samples)
    assert said(model, prompt("a", ())) == "horn"
    assert said(model, prompt("d")) == "(B) Jay"
    assert model.describe()["open_answers"] == 2


def test_echo_gold_says_the_right_answer_to_an_open_question() -> None:
    assert said(open_model("echo-gold", {}, [open_sample("a", "a bell")]), prompt("a", ())) == "a bell"


@pytest.mark.parametrize("name", ["random", "first"])
def test_a_model_that_can_only_choose_refuses_open_questions_before_the_first(name: str, tmp_path: Path) -> None:
    rows = [{"question": "What rings?", "answer": "bell"}, {"question": "And?", "choices": ["a", "b"], "answer": "a"}]
    task = Task.of(rows, name="rings", scorer="exact", columns={"audio": None})
    with pytest.raises(UserError, match=rf"^--model {name}: it can only choose among options, and 1 of 2 questions of"):
        dtbench.run(name, task, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
