from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pytest
from sounds import encoded, sine

from dtbench.harness.audio.prepare import prepare_audio
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.memory_clips import EncodedClip
from dtbench.harness.core.schema import clip_name
from dtbench.harness.lm_eval.clips import RATE, LmEvalAudio, clip_bytes_of, clips_of, place_clips


@pytest.fixture
def tone() -> bytes:
    return encoded(sine(440, 0.5, RATE), RATE).data


class Counting:
    """A clip that counts how often it is read."""

    label = "counted"

    def __init__(self, data: bytes) -> None:
        self.data, self.read_times = data, 0

    def read(self) -> bytes:
        self.read_times += 1
        return self.data


def test_a_sound_is_decoded_only_when_its_samples_are_asked_for_and_what_is_written_of_it_is_plain(tone: bytes) -> None:
    clip = Counting(tone)
    sound = LmEvalAudio(clip, question="q7")
    assert json.loads(json.dumps(sound)) == {"question": "q7", "sampling_rate": RATE}
    assert str(sound) == str({"question": "q7", "sampling_rate": RATE})
    assert clip.read_times == 0
    assert len(sound["array"]) == RATE // 2
    assert clip.read_times == 1
    with pytest.raises(KeyError, match="pitch"):
        sound["pitch"]


def test_a_sound_of_ours_is_heard_bit_for_bit_after_its_way_through_lm_eval(tone: bytes) -> None:
    heard = prepare_audio(EncodedClip("c", tone), RATE, None)
    (found,) = clips_of([LmEvalAudio(EncodedClip("c", tone))], "task, question 1")
    assert prepare_audio(found, RATE, None).wav == heard.wav


def test_samples_that_were_decoded_elsewhere_are_heard_as_they_are(tone: bytes) -> None:
    heard = prepare_audio(EncodedClip("c", tone), RATE, None)
    (again,) = clips_of([{"array": heard.samples, "sampling_rate": RATE}], "task, question 1")
    assert prepare_audio(again, RATE, None).wav == heard.wav


class Decoder:
    """As torchcodec's: two names, and no mapping."""

    def __getitem__(self, name: str) -> Any:
        return {"array": numpy.zeros(800, numpy.float32), "sampling_rate": 8000}[name]


def test_every_form_in_which_tasks_hold_audio_is_a_clip(tone: bytes, tmp_path: Path) -> None:
    file = tmp_path / "tone.wav"
    file.write_bytes(tone)
    forms: list[Any] = [file, str(file), tone, {"bytes": tone, "path": None}, {"bytes": None, "path": str(file)}]
    for form in forms:
        assert prepare_audio(clips_of(form, "x")[0], RATE, None).seconds == 0.5
    assert prepare_audio(clips_of(Decoder(), "x")[0], RATE, None).rate == 8000


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "its list of clips is empty"),
        ([b"a", 12], "question 1, clip 2: its audio is int"),
        (12, "its audio is int"),
        ({}, "is dict"),
    ],
)
def test_what_is_no_clip_is_refused(value: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        clips_of(value, "task, question 1")


def test_the_mark_of_a_clip_leaves_the_words() -> None:
    assert (
        place_clips("Listen to the audio <audio> and say what it is.", 1) == "Listen to the audio and say what it is."
    )


def test_marks_of_several_clips_say_where_each_goes(tone: bytes) -> None:
    assert place_clips("Is <audio> louder than <audio>?", 2) == "Is {audio 1} louder than {audio 2}?"
    assert place_clips("Is <audio> louder?", 2) == "Is {audio 1} louder?"
    assert place_clips("<audio> <audio> <audio>", 2) == "{audio 1} {audio 2} "
    clips = clips_of([tone, LmEvalAudio(EncodedClip("other", tone))], "task, question 1")
    assert [clip_name(clip) for clip in clips] == ["task, question 1, clip 1", "other"]
    assert clip_bytes_of([tone, b"other"], 1, "x") == b"other"
    with pytest.raises(UserError, match="its text names more clips than the 1 that it comes with"):
        clip_bytes_of([tone], 1, "x")
