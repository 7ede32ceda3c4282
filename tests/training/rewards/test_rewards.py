"""Rewards that need no endpoint: accuracy, form, consistency by words, n-grams, mini's grader, and their sums."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from chains import GOOD, OTHER, REFERENCE, ROW, completion, mini_rows, score_batch

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.extract.answer import extract
from dtbench.harness.extract.evidence import DEFAULT_MIN_EVIDENCE, is_enough
from dtbench.training.rewards import RewardSettings, Scores, Template, reward_settings
from dtbench.training.rewards.completion import parse_completion, split_completion
from dtbench.training.rewards.embedding import ngram_cosine
from dtbench.training.rewards.scoring import REWARDS, chain_concludes, round_to_grid

PLAIN = RewardSettings(embedding="ngrams", consistency="words", evaluator="mini events")
MINI = dataclasses.replace(
    PLAIN, template=Template("<think>", "</think>"), task="mini", guards=("empty", "huge", "loop", "nothing new")
)


def scored(text: str, *names: str, settings: RewardSettings = PLAIN) -> list[float]:
    return [score_batch([name], [ROW], [text], settings).values[name][0] for name in names]


@pytest.mark.parametrize(
    ("text", "accuracy", "form"),
    [
        (completion(GOOD), 1, 1),
        (completion(GOOD, "(A)"), 1, 1),
        (completion(GOOD, "a car leaves"), 0, 1),
        (completion(GOOD, "a person arrives, or a car leaves"), 0, 1),
        (completion(GOOD, "I cannot tell."), 0, 1),
        (f"\n {completion(GOOD)} \n", 1, 1),
        (f"{completion(GOOD)}<|im_end|>", 1, 1),
        ("a person arrives", 1, 0),
        (f"<think>{GOOD}</think>a person arrives", 1, 0),
        (f"<reasoning>{GOOD}\na person arrives", 0, 0),
        (f"{GOOD}</reasoning>a person arrives", 1, 0),
        ("<reasoning></reasoning>a person arrives", 1, 0),
        ("<reasoning> \n </reasoning>a person arrives", 1, 0),
        (f"First: {completion(GOOD)}", 1, 0),
        (completion(GOOD) + completion(GOOD), 1, 0),
        (f"<reasoning><reasoning>{GOOD}</reasoning></reasoning>a person arrives", 1, 0),
        (completion(GOOD, ""), 0, 0),
        (completion(GOOD, "a person arrives\nAnd here is why once more."), 1, 0),
        (completion(GOOD, f"a person arrives, {', '.join(f'as I said {n} times' for n in range(20))}."), 1, 0),
        (completion(GOOD, "a person arrives, " + "as I said " * 40), 0, 0),
        ("", 0, 0),
    ],
)
def test_accuracy_is_the_tasks_score_and_format_the_template_to_the_letter(text: str, accuracy: int, form: int) -> None:
    assert scored(text, "accuracy", "format") == [accuracy, form]


def test_a_chain_between_the_templates_own_tags_is_one_in_whatever_form_it_comes() -> None:
    settings = dataclasses.replace(PLAIN, template=Template("<my-notes>\n", "</my-notes>"))
    text = f"<my-notes>\nIt may be that a car leaves.</my-notes>\n<my-notes>\n{GOOD}</my-notes>\na person arrives"
    assert scored(text, "accuracy", "format", settings=settings) == [1, 0]
    assert parse_completion(ROW, text, settings.template, Scorer()).chain == f"It may be that a car leaves.\n{GOOD}"


def test_a_template_with_tags_around_the_answer_wants_them() -> None:
    tagged = dataclasses.replace(PLAIN, template=Template("<think>", "</think>", "<answer>", "</answer>"))
    right = f"<think>{GOOD}</think>\n<answer>a person arrives</answer>"
    assert scored(right, "format", "accuracy", settings=tagged) == [1, 1]
    assert scored(f"<think>{GOOD}</think>a person arrives", "format", settings=tagged) == [0]
    assert scored(f"{right}<answer>a car leaves</answer>", "format", settings=tagged) == [0]


@pytest.mark.parametrize("answer_tags", [("", ""), ("<answer>", "</answer>")])
def test_the_form_is_read_fast_whatever_is_written(answer_tags: tuple[str, str]) -> None:
    import time

    template = Template("<reasoning>", "</reasoning>", *answer_tags)
    long = " " * 20_000
    texts = [
        *(f"<reasoning>x</reasoning>{long}", f"<reasoning>x</reasoning>a{long}b", f"<reasoning>{long}", long),
        *(
            "<reasoning>" * 5000,
            f"<reasoning>x</reasoning>{'a ' * 10_000}",
            f"<reasoning>x{long}</reasoning>{long}a{long}",
        ),
    ]
    began = time.process_time()
    formed = [split_completion(text, template) is not None for text in texts]
    assert time.process_time() - began < 1
    assert formed == [False] * 6 + [answer_tags[0] == ""]


def test_consistency_by_words_is_the_chains_own_conclusion_right_or_wrong() -> None:
    assert chain_concludes("Boots come near. So the answer is a car leaves.", "a car leaves", ROW.choices)
    assert not chain_concludes("Boots come near. So the answer is a car leaves.", "a person arrives", ROW.choices)
    assert not chain_concludes("Boots come near over gravel.", "a person arrives", ROW.choices)
    assert not chain_concludes("So the answer is a car leaves.", None, ROW.choices)
    chain = f"{OTHER} So the answer is a car leaves."
    assert scored(completion(chain, "a car leaves"), "consistency", "accuracy") == [1, 0]
    assert scored(completion(chain, "a bird sings"), "consistency") == [0]


def test_ngrams_are_nearest_to_themselves_and_know_order() -> None:
    backwards = " ".join(reversed(REFERENCE.split()))
    assert ngram_cosine(REFERENCE, REFERENCE) == pytest.approx(1)
    assert ngram_cosine("", REFERENCE) == 0
    assert ngram_cosine(OTHER, REFERENCE) < ngram_cosine(GOOD, REFERENCE) < 0.9
    assert ngram_cosine(backwards, REFERENCE) < 0.5


def test_a_reference_chain_of_mini_earns_everything_and_that_of_another_clip_little() -> None:
    rows = mini_rows(300)
    earned = [name for name in REWARDS if name != "random"]
    own = score_batch(earned, rows, [f"<think> {row.chain} </think> {row.answer}" for row in rows], MINI)
    assert {name: min(values) for name, values in own.values.items()} == dict.fromkeys(earned, 1.0)
    others = [*rows[1:], rows[0]]
    texts = [f"<think> {other.chain} </think> {row.answer}" for row, other in zip(rows, others, strict=True)]
    strange = score_batch(list(REWARDS), rows, texts, MINI)
    assert min(strange.values["accuracy"]) == 1
    assert mean(strange, "evaluator") < 0.35
    assert mean(strange, "embedding") < 0.5
    assert {name: count for name, count in strange.report.counts.items() if name.startswith("guard")} == {}


def mean(scores: Scores, name: str) -> float:
    return sum(scores.values[name]) / len(scores.values[name])


def test_each_mark_of_minis_grader_falls_for_its_own_fault() -> None:
    counts = (row for row in mini_rows(200) if row.extra["category"] == "count")
    row = next(row for row in counts if len({event["kind"] for event in row.extra["events"]}) == 3)
    described, _, rest = row.chain.partition(" . ")
    kinds = list(dict.fromkeys(event["kind"] for event in row.extra["events"]))
    turned = described.replace(kinds[0], "\0").replace(kinds[1], kinds[0]).replace("\0", kinds[1])
    faults = {
        "mark_path": f"{turned} . {rest}",
        "mark_steps": f"{described.replace('loud', 'soft')} . {rest}"
        if "loud" in described
        else f"{described.replace('soft', 'loud')} . {rest}",
        "mark_strategy": f"{described} . first is loud . so the answer is {row.answer}",
        "mark_depth": f"{described} . {rest.partition(' . so the answer')[0]}",
    }
    for mark, chain in faults.items():
        scores = score_batch(["evaluator"], [row], [f"<think> {chain} </think> {row.answer}"], MINI)
        assert scores.report.as_json(MINI)[mark] < 1, (mark, chain)


def test_saying_every_word_of_the_world_earns_little() -> None:
    row = mini_rows(1)[0]
    every = " , ".join(
        f"{place} loud soft short long low mid high tone beeps noise chirp up down 2 3 4 5"
        for place in ("first", "second", "third", "fourth")
    )
    text = f"<think> i hear {every} . so the answer is {row.answer} </think> {row.answer}"
    earned = score_batch(["accuracy", "evaluator", "embedding"], [row], [text], MINI).values
    assert earned["accuracy"] == [1]
    assert earned["evaluator"][0] < 0.45
    assert earned["embedding"][0] < 0.45


def test_a_wrong_answer_has_no_similarity_however_good_its_chain() -> None:
    row = mini_rows(1)[0]
    wrong = next(choice for choice in row.choices if choice != row.answer)
    names = ["evaluator", "embedding", "hybrid"]
    scores = score_batch(names, [row], [f"<think> {row.chain} </think> {wrong}"], MINI)
    assert list(scores.values.values()) == [[0], [0], [0]]
    assert scores.report.counts["marked"] == 0


def test_hybrid_is_half_and_half_unless_the_recipe_says_otherwise() -> None:
    row = mini_rows(1)[0]
    text = f"<think> {row.chain.partition(' . ')[0]} . so the answer is {row.answer} </think> {row.answer}"
    for share in (0.5, 0.25):
        settings = dataclasses.replace(MINI, embedding_weight=share)
        scores = score_batch(list(REWARDS), [row], [text], settings)
        earned = {name: values[0] for name, values in scores.values.items()}
        expected = share * earned["embedding"] + (1 - share) * earned["evaluator"]
        assert 0 < earned["evaluator"] < 1
        assert earned["hybrid"] == pytest.approx(expected, abs=2 / 1024)


def test_every_reward_lies_on_the_grid_and_equal_ones_have_no_deviation_in_float32() -> None:
    numpy = pytest.importorskip("numpy")
    assert round_to_grid(0.2) != 0.2
    for value in (round_to_grid(k / 97) for k in range(98)):
        assert value * 1024 == int(value * 1024)
        assert numpy.std(numpy.full(8, value, numpy.float32)) == 0


def test_a_row_without_a_reference_says_what_writes_one() -> None:
    with pytest.raises(DataError, match=r"row q1: it has no reference chain.*dtbench cot"):
        score_batch(["embedding"], [dataclasses.replace(ROW, chain="")], [completion(GOOD)], PLAIN)


def test_minis_grader_refuses_rows_without_true_sounds() -> None:
    with pytest.raises(DataError, match="row q1: the evaluator 'mini events' compares reasoning with the true sounds"):
        score_batch(["evaluator"], [ROW], [completion(GOOD)], PLAIN)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"evaluater": "x"}, "unknown setting 'evaluater'. Did you mean evaluator"),
        ({"patience": 9.0}, "rewards: unknown setting 'patience'. It is called retry_budget now."),
        ({"evaluator": "gpt"}, "a URL, 'judge', 'mini events' or 'word count' is expected"),
        ({"max_failed": 2}, "max_failed = 2: 0 to 1 is expected"),
        ({"max_failed": "2%"}, 'max_failed = "2%": a number is expected'),
        ({"attempts": True}, "attempts = true: a whole number is expected"),
        (
            {"evaluator_options": {"temprature": 0.5}},
            "evaluator_options: unknown setting 'temprature'. Did you mean temperature",
        ),
        (
            {"evaluator_options": {"temperature": -1}},
            "rewards: evaluator_options: temperature = -1: at least 0 is expected",
        ),
        ({"evaluator_options": {"temperature": "hot"}}, 'temperature = "hot": a number is expected'),
        ({"evaluator_options": {"model": "x"}}, "evaluator_options: unknown setting 'model'"),
        ({"guards": "empty"}, 'guards = "empty": a list is expected'),
        ({"guards": ["hugs"]}, 'guards = "hugs": unknown. Did you mean huge'),
        ({"consistency": "yes"}, 'consistency = "yes": unknown. Known: words, evaluator'),
        ({"template": {"opening": "<a>", "closing": "<a>"}}, "two different tags"),
        ({"template": {"answer_opening": "<answer>"}}, "set both answer_opening and answer_closing, or neither"),
        ({"template": "<think>"}, 'template = "<think>": a table is expected'),
    ],
)
def test_a_wrong_setting_is_one_line(table: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        reward_settings(table)


def test_settings_survive_being_handed_to_the_engine() -> None:
    settings = dataclasses.replace(MINI, cache=Path("verdicts"), max_failed=0.05)
    assert reward_settings(settings.plain()) == settings


def test_an_unknown_reward_names_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown reward 'acuracy'\. Did you mean accuracy"):
        score_batch(["acuracy"], [ROW], [completion(GOOD)], PLAIN)


@pytest.mark.parametrize(
    "answer",
    [
        "The answer is (A).",
        "It sounds like somebody arrives.",
        "No car leaves, no storm begins and no bird sings.",
        "I hear that a person arrives.",
    ],
)
def test_an_answer_is_rewarded_where_a_run_would_count_it(answer: str) -> None:
    read = extract(answer, ROW.choices)
    parsed = parse_completion(ROW, completion(GOOD, answer), PLAIN.template, Scorer())
    counts = read.level is not None and is_enough(read.level, DEFAULT_MIN_EVIDENCE)
    assert parsed.extraction.choice == (read.choice if counts else None)
    assert parsed.correct == (counts and read.choice == ROW.answer)
