"""One letter as the whole answer, and what may be said of how likely it was."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import OptionLogprobs, Sample
from dtbench.harness.score.forced_choice import (
    CHAIN_FIRST,
    NO_LETTER,
    TokenLogprob,
    gold_index,
    logprob_fields,
    option_letters,
    option_logprobs,
    probabilities,
    read_forced,
    refuse_unlettered,
    stored_logprobs,
)

CHOICES = ("crow", "jay", "owl")
ABC = option_letters(3)


def tokens(**logprobs: float) -> list[TokenLogprob]:
    return [TokenLogprob(token, math.log(share)) for token, share in logprobs.items()]


@pytest.mark.parametrize("text", ["B", " B", "(B)", "B.", "B)\n", "▁B", "ĠB", "[B]:", "'B'", "**B**"])
def test_a_bare_letter_is_the_answer(text: str) -> None:
    read = read_forced(text, CHOICES)
    assert (read.choice, read.how) == ("jay", "forced")


@pytest.mark.parametrize("text", ["", "(", "b", "D", "jay", "Be", "A B", "AB", "The", "B is right"])
def test_anything_else_is_no_answer(text: str) -> None:
    read = read_forced(text, CHOICES)
    assert (read.choice, read.answer, read.how) == (None, "", NO_LETTER)


@pytest.mark.parametrize("text", ["<think>B", "<think>I</think>", "<think>"])
def test_a_chain_in_place_of_the_letter_is_told_as_such(text: str) -> None:
    read = read_forced(text, CHOICES)
    assert (read.choice, read.how) == (None, CHAIN_FIRST)


def test_a_letter_behind_a_chain_is_still_bare() -> None:
    read = read_forced("<think>A caw?</think>\nA", CHOICES)
    assert (read.choice, read.thinking) == ("crow", "A caw?")


def test_tokens_that_are_the_same_letter_add_up_and_others_count_for_nothing() -> None:
    options = option_logprobs([*tokens(A=0.2, B=0.3, C=0.1, The=0.2), TokenLogprob(" A", math.log(0.15))], ABC)
    assert options is not None
    assert options.below is None
    assert [math.exp(logprob or 0) for logprob in options.logprobs] == pytest.approx([0.35, 0.3, 0.1])
    assert probabilities(options) == pytest.approx([0.35 / 0.75, 0.3 / 0.75, 0.1 / 0.75])


def test_an_untold_option_lies_below_the_least_that_was_told() -> None:
    options = option_logprobs(tokens(A=0.6, B=0.2, The=0.01), ABC)
    assert options is not None
    assert options.logprobs[2] is None
    assert options.below == pytest.approx(math.log(0.01))


def test_an_untold_option_lies_below_what_the_others_leave() -> None:
    options = option_logprobs(tokens(A=0.7, B=0.299), ABC)
    assert options is not None
    assert options.below == pytest.approx(math.log(0.001), rel=1e-6)


def test_an_untold_option_that_hardly_matters_has_no_share() -> None:
    options = option_logprobs(tokens(A=0.9, B=0.099, The=0.0005), ABC)
    assert options is not None
    assert probabilities(options) == pytest.approx([0.9 / 0.999, 0.099 / 0.999, 0.0])


def test_where_an_untold_option_may_matter_there_is_no_probability() -> None:
    options = option_logprobs(tokens(A=0.3, B=0.2, The=0.2), ABC)
    assert options is not None
    assert probabilities(options) is None


def test_no_letter_at_all_is_no_log_probabilities() -> None:
    assert option_logprobs(tokens(The=0.9, D=0.1), ABC) is None
    assert option_logprobs([], ABC) is None


def test_letters_without_any_probability_have_no_shares() -> None:
    assert probabilities(OptionLogprobs((-9999.0, -9999.0))) is None


@given(st.lists(st.floats(-30, 0), min_size=1, max_size=20))
def test_shares_sum_up_to_one_and_keep_the_order(logprobs: list[float]) -> None:
    shares = probabilities(OptionLogprobs(tuple(logprobs)))
    assert shares is not None
    assert math.fsum(shares) == pytest.approx(1)
    assert logprobs[shares.index(max(shares))] == pytest.approx(max(logprobs))


@given(st.lists(st.one_of(st.none(), st.floats(-20, 0)), min_size=1, max_size=8), st.floats(-20, 0))
def test_a_given_probability_is_never_further_off_than_was_promised(told: list[float | None], below: float) -> None:
    options = OptionLogprobs(tuple(told), below if None in told else None)
    shares = probabilities(options)
    if shares is None or None not in told:
        return
    worst = [below if logprob is None else logprob for logprob in told]
    real = probabilities(OptionLogprobs(tuple(worst)))
    assert real is not None
    place = shares.index(max(shares))
    assert abs(shares[place] - real[place]) < 0.0101


@pytest.mark.parametrize("options", [OptionLogprobs((-0.5, -1.25)), OptionLogprobs((-0.5, None), -8.125), None])
def test_what_is_stored_is_read_back(options: OptionLogprobs | None) -> None:
    stored: Any = {"response": {"text": "A", **logprob_fields(options)}}
    assert stored_logprobs(stored) == options


def test_a_record_without_a_response_has_no_log_probabilities() -> None:
    failed: Any = {"error": {"kind": "model"}}
    assert stored_logprobs(failed) is None
    assert logprob_fields(None) == {}


def test_the_right_option_is_found_where_it_is_shown() -> None:
    sample = Sample("1", "?", CHOICES, "owl", Path("1.wav"))
    assert gold_index(sample, ("owl", "crow", "jay")) == 0
    assert gold_index(sample, ("crow", "jay")) is None


def test_a_question_without_options_has_no_letter_to_be_forced() -> None:
    with pytest.raises(UserError, match="the question 'q-7' of birds is open: it has no options"):
        refuse_unlettered("birds", Sample("q-7", "?", (), None, Path("1.wav")))


@pytest.mark.parametrize("count", [21, 27])
def test_more_options_than_can_be_told_of_are_refused_by_the_question(count: int) -> None:
    sample = Sample("q-7", "?", tuple(map(str, range(count))), None, Path("1.wav"))
    with pytest.raises(UserError, match=rf"the question 'q-7' of birds has {count} options, but only 1 to 20"):
        refuse_unlettered("birds", sample)
    refuse_unlettered("birds", Sample("q", "?", tuple(map(str, range(20))), None, Path("1.wav")))
