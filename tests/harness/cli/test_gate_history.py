"""`dtbench gate --history`: the last nights against one anchor, and the looks that share one chance."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import call
from made_up_run import number_of, write_run
from small_data import mmar_items, write_json

from dtbench.harness.run.plan import PromptForm

QUESTIONS = 300
Night = Callable[[int, int], bool]
"""Whether the answer to a question is wrong, by its number and its repeat."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mmar")
    write_json(folder / "MMAR-meta.jsonl", mmar_items(QUESTIONS))
    return folder


@pytest.fixture
def make(data: Path, tmp_path: Path) -> Callable[..., Path]:
    def made(name: str, wrong: Night, repeats: int = 1, **form: Any) -> Path:
        path = tmp_path / name
        says = lambda sample, repeat: sample.choices[1 if wrong(number_of(sample), repeat) else 0]  # noqa: E731
        write_run(path, {"mmar": data}, says, repeats=repeats, form=PromptForm(**form))
        return path

    return made


def gated(tmp_path: Path, candidate: Path, *options: str, code: int) -> dict[str, Any]:
    arguments: list[str | Path] = [
        "--baseline",
        tmp_path / "anchor",
        "--candidate",
        candidate,
        "--history",
        tmp_path / "nights",
    ]
    done = call("gate", *arguments, *options, "--json")
    assert done.code == code, done
    (one,) = json.loads(done.out)["results"]
    found: dict[str, Any] = {**one, "sentence": json.loads(done.out)["sentence"]}
    return found


def same(number: int, repeat: int) -> bool:
    return number % 10 == 0


def slow_loss(night: int) -> Night:
    """A question in sixty more is wrong each night."""
    return lambda number, repeat: number % 10 == 0 or number % 60 in range(1, night + 1)


def test_each_night_alone_is_fine_and_the_sum_of_many_small_losses_is_found(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    make("anchor", same, repeats=4)
    codes = []
    for night in range(6):
        candidate = make(f"nights/{night}", slow_loss(night))
        done = call(
            "gate", "--baseline", tmp_path / "anchor", "--candidate", candidate, "--history", tmp_path / "nights"
        )
        codes.append(done.code)
    assert codes[0] == 0
    assert codes[-1] == 1
    one = gated(tmp_path, tmp_path / "nights" / "5", code=1)
    assert (one["nights"], one["look"], one["looks"]) == (5, 6, 30)
    assert one["since_last"] == pytest.approx(-5 / QUESTIONS)
    assert one["difference"] == pytest.approx(-3 * 5 / QUESTIONS)


def test_the_looks_share_alpha(make: Callable[..., Path], tmp_path: Path) -> None:
    make("anchor", same, repeats=4)
    (tmp_path / "nights").mkdir()
    candidate = make("tonight", same)
    each = [gated(tmp_path, candidate, "--looks", looks, code=0)["alpha"] for looks in ("1", "2", "30")]
    assert each[0] == 0.05
    assert 0.05 > each[1] > 0.025
    assert 0.025 > each[2] > 0.05 / 30


def test_more_nights_than_were_stated_tell_nothing_more(make: Callable[..., Path], tmp_path: Path) -> None:
    make("anchor", same)
    for night in range(3):
        make(f"nights/{night}", same)
    one = gated(tmp_path, make("tonight", same), "--looks", "3", code=4)
    assert one["look"] == 4
    assert one["sentence"].startswith("The 3 looks at this baseline are used up")


def test_the_candidate_and_the_anchor_are_no_earlier_nights(make: Callable[..., Path], tmp_path: Path) -> None:
    anchor = make("nights/anchor", same)
    candidate = make("nights/tonight", same)
    done = call("gate", "--baseline", anchor, "--candidate", candidate, "--history", tmp_path / "nights", "--json")
    (one,) = json.loads(done.out)["results"]
    assert (one["nights"], one["look"], one["since_last"]) == (1, 1, None)


def test_a_night_with_another_prompt_is_left_out_and_told(make: Callable[..., Path], tmp_path: Path) -> None:
    make("anchor", same)
    make("nights/1", same, template="{question}{options}")
    make("nights/2", same)
    one = gated(tmp_path, make("tonight", same), code=0)
    assert (one["nights"], one["look"]) == (2, 3 - 1)
    (note,) = one["left_out"]
    assert "nights/1" in note
    assert "prompt" in note


def test_a_history_that_is_not_there_is_one_line(make: Callable[..., Path], tmp_path: Path) -> None:
    anchor = make("anchor", same)
    done = call("gate", "--baseline", anchor, "--candidate", make("next", same), "--history", tmp_path / "none")
    assert "there is no such folder; name the one that holds the runs of each night" in done.refusal()
