"""Does a model listen? Runs with other clips, or the options in another order, beside the plain one."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from chat_server import Asked, Chat, Turn, chatting
from command import Done, call
from runs import audible_data, records, topic_of
from sounds import loudness, pitch

COUNT = 24


@pytest.fixture(autouse=True)
def data(tmp_path: Path) -> None:
    audible_data(tmp_path / "data", COUNT)


def wave_of(asked: Asked) -> tuple[Any, int]:
    """The sound that came with a request, and its rate."""
    (clip,) = [part for part in asked.json()["messages"][0]["content"] if part["type"] == "input_audio"]
    assert clip["input_audio"]["format"] == "wav"
    wave, rate = soundfile.read(io.BytesIO(base64.b64decode(clip["input_audio"]["data"])))
    return wave, rate


def listens(asked: Asked) -> Turn:
    """Names what it hears; what it does not know, it calls the first option."""
    wave, rate = wave_of(asked)
    topic = topic_of(pitch(wave, rate)) if loudness(wave) > 0.3 else None
    return Turn(topic or "(A)")


def is_deaf(asked: Asked) -> Turn:
    """Says the first option, whatever it hears."""
    return Turn("(A)")


def run(chat: Chat, tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """The summary of a run into tmp_path / out, and what was printed of it."""
    asked = ("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "out")
    done: Done = call(*asked, "--json", *arguments)
    assert done.code == 0, done
    told = json.loads(done.out)
    printed = call(*asked, *arguments)
    assert printed.code == 0
    return {**told["tasks"][0], "run": told["run"], "printed": printed.out}


def gap_of(model: Callable[[Asked], Turn], tmp_path: Path, mode: str) -> dict[str, Any]:
    with chatting(choose=model) as chat:
        plain = run(chat, tmp_path)
        other = run(chat, tmp_path, "--audio", mode)
    assert "listening" not in plain
    assert other["run"] == str(tmp_path / "out" / f"audio-{mode}")
    return other


@pytest.mark.parametrize("mode", ["silence", "noise", "shuffle"])
def test_what_a_model_that_listens_gains_by_it_is_told_with_an_interval(tmp_path: Path, mode: str) -> None:
    other = gap_of(listens, tmp_path, mode)
    heard = other["audio_ablation"]
    assert heard["plain"] == 1.0
    assert heard["altered"] < 0.6
    assert heard["gap"]["gap"] == pytest.approx(1.0 - heard["altered"])
    assert 0 < heard["gap"]["low"] < heard["gap"]["gap"] < heard["gap"]["high"]
    assert (heard["n"], heard["unmatched"]) == (COUNT, 0)
    assert (
        f"listening      {100 * heard['gap']['gap']:+.1f} points come from the clip (95 % interval " in other["printed"]
    )


@pytest.mark.parametrize("mode", ["silence", "noise", "shuffle"])
def test_of_a_deaf_model_nothing_comes_from_listening(tmp_path: Path, mode: str) -> None:
    heard = gap_of(is_deaf, tmp_path, mode)["audio_ablation"]
    assert heard["gap"]["gap"] == 0
    assert heard["same_choice"]["accuracy"] == 1.0


def sounds_heard(tmp_path: Path, out: str, *arguments: str) -> dict[str, bytes]:
    """The clip that came with each question."""
    with chatting() as chat:
        asked = ("--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / out)
        assert call("run", "--model", chat.url, *asked, *arguments).code == 0
        return {question_of(asked): wave_of(asked)[0].tobytes() for asked in chat.asked}


def question_of(asked: Asked) -> str:
    (found,) = re.findall(r"in scene (\d+)\?", asked.content.decode())
    return str(found)


def test_silence_is_silent_and_as_long_as_the_clip(tmp_path: Path) -> None:
    plain, silent = sounds_heard(tmp_path, "plain"), sounds_heard(tmp_path, "silent", "--audio", "silence")
    assert {number: bytes(len(wave)) for number, wave in plain.items()} == silent


def test_every_question_gets_another_one_s_clip_and_the_seed_says_whose(tmp_path: Path) -> None:
    plain = sounds_heard(tmp_path, "plain")
    one, same, other = (
        sounds_heard(tmp_path, name, "--audio", "shuffle", "--seed", seed)
        for name, seed in (("one", "1"), ("same", "1"), ("other", "2"))
    )
    assert one == same != other
    assert set(one.values()) <= set(plain.values())


def test_questions_that_share_a_clip_do_not_get_it_shuffled(tmp_path: Path) -> None:
    path = tmp_path / "data" / "MMAR-meta.jsonl"
    items = [json.loads(line) for line in path.read_text().splitlines()][:6]
    for item in items[:5]:
        item["audio_path"] = items[0]["audio_path"]
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    plain = sounds_heard(tmp_path, "plain")
    shuffled = sounds_heard(tmp_path, "shuffled", "--audio", "shuffle")
    assert all(plain[number] != shuffled[number] for number in plain)


def test_noise_differs_from_question_to_question_and_not_from_run_to_run(tmp_path: Path) -> None:
    one, same = (sounds_heard(tmp_path, name, "--audio", "noise") for name in ("one", "same"))
    assert one == same
    assert len(set(one.values())) == COUNT


def test_an_answer_that_goes_by_the_letter_moves_with_the_order(tmp_path: Path) -> None:
    with chatting(choose=is_deaf) as chat:
        run(chat, tmp_path)
        other = run(chat, tmp_path, "--permute", "1")
    assert other["run"] == str(tmp_path / "out" / "permute-1")
    assert other["order_sensitivity"]["moved"]["accuracy"] == 1.0
    assert "over 2 option orders, 100.0% of 24 answers change" in other["printed"]


def test_an_answer_that_goes_by_the_sound_stays_whatever_the_order(tmp_path: Path) -> None:
    with chatting(choose=listens) as chat:
        first = run(chat, tmp_path)
        rotated = [run(chat, tmp_path, "--permute", str(places)) for places in (1, 2, 3)]
    assert rotated[-1]["order_sensitivity"]["orders"] == 4
    assert rotated[-1]["order_sensitivity"]["moved"]["accuracy"] == 0.0
    assert [one["strict"]["accuracy"] for one in (first, *rotated)] == [1.0] * 4
    assert [one["official"]["accuracy"] for one in (first, *rotated)] == [1.0] * 4


def test_the_options_are_shown_in_another_order_and_the_right_one_stays_right(tmp_path: Path) -> None:
    with chatting(default=Turn("(A)")) as chat:
        run(chat, tmp_path, "--permute", "1")
        shown = {question_of(asked): asked.content.decode() for asked in chat.asked}
    path = tmp_path / "data" / "MMAR-meta.jsonl"
    items = {f"{number}": json.loads(line) for number, line in enumerate(path.read_text().splitlines())}
    said = {record["id"]: record["extraction"]["choice"] for record in records(tmp_path / "out")}
    for number, item in items.items():
        turned = [*item["choices"][1:], item["choices"][0]]
        places = [shown[number].index(option) for option in turned]
        assert places == sorted(places)
        assert said[item["id"]] == turned[0]


def test_the_plain_run_may_come_after_the_others(tmp_path: Path) -> None:
    with chatting(choose=listens) as chat:
        first = run(chat, tmp_path, "--audio", "silence", "--limit", "4")
        run(chat, tmp_path, "--limit", "4")
        again = run(chat, tmp_path, "--audio", "silence", "--limit", "4")
    assert "listening" not in first
    assert again["audio_ablation"]["n"] == 4


def test_noise_and_codecs_are_runs_of_their_own_that_say_what_was_done(tmp_path: Path) -> None:
    with chatting(choose=listens) as chat:
        run(chat, tmp_path)
        noisy = run(chat, tmp_path, "--audio", "noise:+0.0DB")
        coded = run(chat, tmp_path, "--audio", "mp3:16k")
    assert noisy["run"] == str(tmp_path / "out" / "audio-noise-0dB")
    assert coded["run"] == str(tmp_path / "out" / "audio-mp3-16k")
    told = json.loads((tmp_path / "out" / "audio-noise-0dB" / "run.json").read_text())
    assert told["tasks"]["mmar"]["audio"] == "noise:0dB"
    assert {round(float(one["snr_db"])) for one in heard_in(tmp_path / "out" / "audio-noise-0dB")} == {0}
    assert all(one["kbits"] > 8 and "snr_db" not in one for one in heard_in(tmp_path / "out" / "audio-mp3-16k"))
    assert noisy["audio_ablation"]["audio"] == "noise:0dB"
    assert "points are lost with noise:0dB (95 % interval" in noisy["printed"]
    assert "points are lost with mp3:16k (95 % interval" in coded["printed"]


def heard_in(out: Path) -> list[Any]:
    return [record["audio"] for record in records(out)]


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("noise:10", "--audio noise:10: noise:SNRdB is expected, from noise:-40dB to noise:80dB, such as noise:10dB."),
        ("mp3:17k", "--audio mp3:17k: mp3:KBITSk is expected, such as mp3:16k, with one of 8, 16, 24,"),
        ("opus:4k", "--audio opus:4k: opus:KBITSk is expected, such as opus:16k, with one of 6 to 128."),
    ],
)
def test_a_number_that_no_mode_has_is_refused_with_those_that_it_has(mode: str, told: str) -> None:
    done = call("run", "--model", "first", "--tasks", "mini", "--audio", mode, "--dry-run")
    assert done.code == 2
    assert told in done.err
