from __future__ import annotations

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.harness.lm_eval.generation import answer_in, sampling_of, stops_of


@pytest.mark.parametrize(
    ("text", "stops", "answer"),
    [
        ("  Paris \n", [], "  Paris \n"),
        ("Paris\n\nRome", ["\n\n"], "Paris"),
        ("one. two; three", [";", "."], "one"),
        ("<think>Rome.\n\nNo.</think>\n Paris\n\nRome", ["\n\n"], "Paris"),
        ("It may be Rome.</think>Paris", ["."], "Paris"),
        ("<think>it never ends", [], ""),
        ("", ["\n"], ""),
        ("User: hi\nAssistant: Paris</s>", [], "User: hi\nAssistant: Paris</s>"),
    ],
)
def test_an_answer_is_what_follows_the_chain_up_to_the_first_stop(text: str, stops: list[str], answer: str) -> None:
    assert answer_in(text, stops) == answer


def test_a_stop_inside_the_chain_does_not_end_the_answer() -> None:
    assert answer_in("<think>Question: is it?</think>Yes", ["Question:"]) == "Yes"


def test_stops_may_be_one_text_several_or_none() -> None:
    assert list(stops_of({"until": "\n"})) == ["\n"]
    assert list(stops_of({"until": ["a", "", "b"]})) == ["a", "b"]
    assert list(stops_of({})) == list(stops_of({"until": None})) == []


def test_sampling_goes_over_by_the_names_of_our_models() -> None:
    assert sampling_of({"until": [], "temperature": 0.7, "top_p": 0.9, "max_gen_toks": 64, "do_sample": True}, "t") == {
        "temperature": "0.7",
        "top_p": "0.9",
        "max_tokens": "64",
    }


def test_no_sampling_is_temperature_zero_whatever_else_is_said() -> None:
    assert sampling_of({"do_sample": False}, "t") == sampling_of({"do_sample": False, "temperature": 0.7}, "t")
    assert sampling_of({"do_sample": False}, "t") == {"temperature": "0.0"}


def test_what_no_model_here_does_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"gsm8k: its generation_kwargs ask for num_beams=4, .*known: until, do_sample"):
        sampling_of({"num_beams": 4}, "gsm8k")
