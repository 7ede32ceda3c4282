from __future__ import annotations

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.harness.lm_eval.generation import answer_before_stop, model_options, stop_texts


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
    assert answer_before_stop(text, stops) == answer


def test_a_stop_inside_the_chain_does_not_end_the_answer() -> None:
    assert answer_before_stop("<think>Question: is it?</think>Yes", ["Question:"]) == "Yes"


def test_stops_may_be_one_text_several_or_none() -> None:
    assert list(stop_texts({"until": "\n"})) == ["\n"]
    assert list(stop_texts({"until": ["a", "", "b"]})) == ["a", "b"]
    assert list(stop_texts({})) == list(stop_texts({"until": None})) == []


def test_sampling_goes_over_by_the_names_of_our_models() -> None:
    assert model_options(
        {"until": [], "temperature": 0.7, "top_p": 0.9, "max_gen_toks": 64, "do_sample": True}, "t"
    ) == {
        "temperature": "0.7",
        "top_p": "0.9",
        "max_tokens": "64",
    }


def test_no_sampling_is_temperature_zero_whatever_else_is_said() -> None:
    assert model_options({"do_sample": False}, "t") == model_options({"do_sample": False, "temperature": 0.7}, "t")
    assert model_options({"do_sample": False}, "t") == {"temperature": "0.0"}


def test_what_no_model_here_does_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"gsm8k: its generation_kwargs ask for num_beams=4, .*known: until, do_sample"):
        model_options({"num_beams": 4}, "gsm8k")
