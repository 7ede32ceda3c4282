from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dtbench import NoClip, Prompt, Sample
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.schema import text_and_clips

ONE, OTHER, THIRD = Path("1.wav"), Path("2.wav"), Path("3.wav")


def sample(id_: str, *clips: Path) -> Sample:
    return Sample(id_, "Which?", ("x", "y"), "x", clips=clips)


def test_a_question_has_any_number_of_clips() -> None:
    assert Sample("a", "?", (), "x", ONE).clips == (ONE,) == sample("a", ONE).clips
    assert sample("a", ONE, OTHER).clips == (ONE, OTHER)
    assert sample("a", ONE, OTHER).audio == ONE
    assert (sample("a").clips, sample("a").audio) == ((), NoClip("a"))
    assert Sample("a", "?", (), "x", NoClip("a")) == Sample("a", "?", (), "x")


def test_a_prompt_whose_clips_are_exchanged_keeps_the_rest() -> None:
    prompt = Prompt("?", ONE, wav=b"one", seed=3)
    assert (prompt.clips, prompt.wavs, prompt.wav) == ((ONE,), (b"one",), b"one")
    other = dataclasses.replace(prompt, clips=(OTHER, THIRD), wavs=(b"other", b"third"))
    assert (other.audio, other.wav, other.wavs, other.seed) == (OTHER, b"other", (b"other", b"third"), 3)


@pytest.mark.parametrize(
    ("text", "count", "parts"),
    [
        ("Which?", 0, ["Which?"]),
        ("Which?", 2, [0, 1, "Which?"]),
        ("First {audio 1}, then {audio 2}.", 2, ["First ", 0, ", then ", 1, "."]),
        ("{audio 2} or {audio 1}?", 2, [1, " or ", 0, "?"]),
        ("{audio 2}?", 2, [0, 1, "?"]),
        ("{audio 1} is as {audio 1}", 1, [0, " is as {audio 1}"]),
        ("{audio 3} {audio 0} {audio}", 2, [0, 1, "{audio 3} {audio 0} {audio}"]),
        ("", 1, [0]),
    ],
)
def test_clips_are_sent_where_the_text_has_their_marks(text: str, count: int, parts: list[str | int]) -> None:
    assert text_and_clips(text, count) == parts


def test_questions_that_share_any_clip_hang_together() -> None:
    alone = sample("alone", Path("own.wav"))
    data = Dataset([sample("a", ONE, OTHER), alone, sample("b", THIRD), sample("c", OTHER, THIRD)], "own", "here")
    assert data.shared_clips() == {"a": 0, "b": 0, "c": 0}
    assert Dataset([sample("a", ONE, ONE), alone], "own", "here").shared_clips() == {}
    assert data.select([0, 2]).shared_clips() == {}


def test_questions_beyond_memory_keep_all_their_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtbench.harness.core.dataset.IN_MEMORY", 1)
    samples = [sample("a"), sample("b", ONE, OTHER), sample("c")]
    data = Dataset(samples, "own", "here")
    assert [one.clips for one in data.samples] == [(), (ONE, OTHER), ()]
    assert data.clip_names() == [(), ("1.wav", "2.wav"), ()]
