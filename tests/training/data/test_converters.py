"""Data sets of others: small ones in exactly the layouts in which they are published."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command import call
from sounds import encoded, sine

from dtbench.harness.core.errors import DataError
from dtbench.training.data.converters.conversion import CONVERTERS, Conversion, ask_about_audio, convert_dataset
from dtbench.training.data.rows import read_rows

Item = dict[str, Any]


def clip(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(sine(440, 0.1, 16000), 16000).data)


def lines(path: Path, items: Sequence[Item]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(item) + "\n" for item in items))


def avqa(folder: Path) -> None:
    item: Item = {
        "id": 7,
        "video_name": "-AbCdEfGhIj_000030",
        "video_id": 12,
        "question_relation": "Sound",
        "question_text": "What is the main sound in the video?",
        "question_type": "Which",
        "multi_choice": ["rain", "a train ", "a drum", "a cow"],
        "answer": 1,
    }
    items = [
        item,
        item | {"id": 8, "video_name": "KlMnOpQrStU_000001", "question_relation": "View"},
        item | {"id": 9, "video_name": "gone_000001"},
        item | {"id": 10, "answer": 4},
        item | {"id": 11, "multi_choice": ["rain", "rain", "a drum", "a cow"]},
    ]
    folder.mkdir(parents=True)
    (folder / "train_qa.json").write_text(json.dumps(items))
    (folder / "val_qa.json").write_text(json.dumps([item | {"id": 99}]))
    clip(folder / "audio" / "-AbCdEfGhIj_30.wav")
    clip(folder / "audio" / "KlMnOpQrStU_000001.wav")


def audiomcq(folder: Path) -> None:
    item: Item = {
        "source_dataset": "Clotho",
        "id": "17",
        "audio_path": "audio/Clotho/rain one.wav",
        "question": "What falls?",
        "choices": ["rain", "snow", "sand", "hail"],
        "answer": "rain",
        "audio-contribution": "strong",
        "gemini_cot": "Drops patter on tin.",
    }
    items = [
        item,
        item | {"id": "18", "gemini_cot": None, "source_dataset": "AudioCaps"},
        item | {"id": "17"},
        item | {"id": "19", "audio_path": "audio/Clotho/gone.wav"},
        item | {"id": "20", "answer": "Rain"},
    ]
    lines(folder / "data.jsonl", items)
    clip(folder / "audio" / "Clotho" / "rain one.wav")


def musicbench(folder: Path) -> None:
    item = {
        "dataset": "MusicBench",
        "location": "data_aug2/-AbCdEfGhIj_1.wav",
        "main_caption": "A slow guitar plays.",
        "alt_caption": "A guitar.",
        "prompt_aug": "",
        "prompt_ch": "The chords are C, G.",
        "prompt_bt": "",
        "prompt_bpm": "It is an Adagio.",
        "prompt_key": "The key is C major.",
        "beats": [[0.5], [1.0]],
        "bpm": 62.0,
        "chords": ["C", "G"],
        "chords_time": [0.4, 3.1],
        "key": ["C", "major"],
        "keyprob": [0.8],
    }
    items = [
        item,
        item | {"location": "data/KlMnOpQrStU.wav", "main_caption": "It is an Adagio. A harp plays."},
        item | {"location": "data/gone.wav"},
    ]
    lines(folder / "MusicBench_train.json", items)
    lines(folder / "MusicBench_test_A.json", [item | {"location": "data/test.wav"}])
    clip(folder / "datashare" / "data_aug2" / "-AbCdEfGhIj_1.wav")
    clip(folder / "datashare" / "data" / "KlMnOpQrStU.wav")


LABELS = ("neu", "ang", "fru", "exc", "hap", "sad", "xxx", "oth", "sur")


def iemocap(folder: Path) -> None:
    said = [
        f"[{place}.2901 - {place + 1}.2357]\tSes01F_impro01_F{place:03}\t{label}\t[2.5000, 2.5000, 2.5000]\n"
        "C-E2:\tNeutral;\t()\nC-F1:\tneutral; \t()\nA-E3:\tval 3; act 2; dom  2;\t()\n"
        for place, label in enumerate(LABELS)
    ]
    text = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n" + "\n".join(said)
    file = folder / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    (file.parent / "Attribute").mkdir()
    for place in range(len(LABELS) - 1):
        clip(folder / "Session1" / "sentences" / "wav" / "Ses01F_impro01" / f"Ses01F_impro01_F{place:03}.wav")


def music_avqa(folder: Path) -> None:
    item = {
        "video_id": "00000007",
        "question_id": 0,
        "type": '["Audio", "Counting"]',
        "question_deleted": 0,
        "question_content": "How many musical instruments were heard throughout the video?",
        "templ_values": "[]",
        "anser": "three",
    }
    louder = {"question_content": "Is the <Object> louder than the <Object>?", "type": '["Audio", "Comparative"]'}
    first = {"question_content": "Which is the musical instrument that sounds first?", "type": '["Audio", "Temporal"]'}
    items = [
        item,
        item | louder | {"question_id": 1, "templ_values": '["flute", "tuba"]', "anser": "yes"},
        item | louder | {"question_id": 2, "templ_values": "['flute', 'tuba']", "anser": "no"},
        *(item | first | {"question_id": 3 + n, "anser": name} for n, name in enumerate(("flute", "tuba", "bell"))),
        item | {"question_id": 8, "type": '["Visual", "Location"]'},
        item | {"question_id": 9, "type": '["Audio-Visual", "Existential"]'},
        item | {"question_id": 10, "question_deleted": 1},
        item | {"question_id": 11, "video_id": "00000008"},
        item | louder | {"question_id": 12, "templ_values": '["flute"]', "anser": "no"},
        item | {"question_id": 13, "anser": "zero"},
    ]
    folder.mkdir(parents=True)
    (folder / "avqa-train.json").write_text(json.dumps(items))
    clip(folder / "audio" / "00000007.wav")


LAYOUTS = {
    "avqa": avqa,
    "audiomcq": audiomcq,
    "musicbench": musicbench,
    "iemocap": iemocap,
    "music-avqa": music_avqa,
}


def made(name: str, tmp_path: Path) -> Conversion:
    LAYOUTS[name](tmp_path / name)
    return convert_dataset(name, tmp_path / name)


def test_avqa_finds_its_clips_by_either_name_and_asks_of_what_is_heard(tmp_path: Path) -> None:
    converted = made("avqa", tmp_path)
    assert [row.id for row in converted.rows] == ["avqa-7", "avqa-8"]
    row = converted.rows[0]
    assert (row.question, row.answer) == ("What is the main sound in the recording?", "a train")
    assert row.audio.name == "-AbCdEfGhIj_30.wav"
    assert [row.extra["groups"]["relation"] for row in converted.rows] == ["Sound", "View"]
    assert converted.skipped == Counter(
        {
            "its clip is not there": 1,
            "its answer is none of its choices": 1,
            "two of its choices are the same": 1,
        }
    )


def test_audiomcq_keeps_its_chains_and_tells_what_it_leaves_out(tmp_path: Path) -> None:
    converted = made("audiomcq", tmp_path)
    assert [(row.id, row.chain) for row in converted.rows] == [
        ("audiomcq-Clotho-17", "Drops patter on tin."),
        ("audiomcq-AudioCaps-18", ""),
    ]
    assert converted.rows[0].extra["groups"] == {"dataset": "Clotho", "contribution": "strong"}
    assert converted.drafts == 1
    assert converted.skipped == Counter(
        {"its id was there before": 1, "its clip is not there": 1, "its answer is none of its choices": 1}
    )


def test_musicbench_gives_drafts_with_captions_and_says_nothing_twice(tmp_path: Path) -> None:
    converted = made("musicbench", tmp_path)
    assert [row.id for row in converted.rows] == ["musicbench-data_aug2--AbCdEfGhIj_1", "musicbench-data-KlMnOpQrStU"]
    whole = "A slow guitar plays. It is an Adagio. The key is C major. The chords are C, G."
    assert converted.rows[0].extra["caption"] == whole
    assert converted.rows[1].extra["caption"].count("It is an Adagio.") == 1
    assert converted.drafts == 2
    assert converted.skipped == Counter({"its clip is not there": 1})


def test_iemocap_asks_for_emotions_that_listeners_agreed_on_and_never_offers_two_alike(tmp_path: Path) -> None:
    converted = made("iemocap", tmp_path)
    assert [row.answer for row in converted.rows] == [
        *("neutral", "anger", "frustration", "excitement", "happiness", "sadness"),
    ]
    for row in converted.rows:
        assert len(set(row.choices)) == 4
        assert row.answer in row.choices
        assert len({"anger", "frustration"} & set(row.choices)) < 2 or row.answer not in {"anger", "frustration"}
        assert len({"happiness", "excitement"} & set(row.choices)) < 2 or row.answer not in {"happiness", "excitement"}
    assert converted.skipped == Counter(
        {
            "its listeners agreed on no emotion": 1,
            "its emotion has no name": 1,
            "its clip is not there": 1,
        }
    )


def test_music_avqa_asks_only_what_can_be_heard_and_offers_answers_of_the_same_kind(tmp_path: Path) -> None:
    converted = made("music-avqa", tmp_path)
    by_id = {row.id.removeprefix("music-avqa-"): row for row in converted.rows}
    assert list(by_id) == ["0", "1", "2", "3", "4", "5", "13"]
    assert by_id["0"].question == "How many musical instruments were heard throughout the recording?"
    assert len(by_id["0"].choices) == 4
    assert "three" in by_id["0"].choices
    assert by_id["1"].question == by_id["2"].question == "Is the flute louder than the tuba?"
    assert by_id["1"].choices == ("yes", "no")
    assert set(by_id["3"].choices) == {"flute", "tuba", "bell"}
    assert set(by_id["13"].choices) == {"zero", "one", "two", "three"}
    assert converted.skipped == Counter(
        {
            "it asks for what is seen": 2,
            "its authors deleted it": 1,
            "its clip is not there": 1,
            "its template has more places than values": 1,
        }
    )


@pytest.mark.parametrize("name", CONVERTERS)
def test_what_is_converted_is_the_same_every_time_and_can_be_read_back(name: str, tmp_path: Path) -> None:
    first = made(name, tmp_path)
    assert convert_dataset(name, tmp_path / name).rows == first.rows
    done = call("data", "convert", name, tmp_path / name, "--out", tmp_path / "rows.jsonl", "--json")
    assert done.code == 0, done
    told = json.loads(done.out)
    assert (told["rows"], told["drafts"]) == (len(first.rows), first.drafts)
    assert told["skipped"] == dict(first.skipped)
    assert list(read_rows(tmp_path / "rows.jsonl", drafts=True)) == first.rows


@pytest.mark.parametrize("name", CONVERTERS)
def test_another_folder_is_one_line_that_says_what_was_looked_for(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="looked for"):
        convert_dataset(name, tmp_path)
    done = call("data", "convert", name, tmp_path / "gone", "--out", tmp_path / "rows.jsonl")
    assert "gone: there is no such folder" in done.refusal()


def test_a_data_set_without_its_clips_makes_no_rows(tmp_path: Path) -> None:
    avqa(tmp_path / "avqa")
    for path in (tmp_path / "avqa" / "audio").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"no row could be made \(5 its clip is not there"):
        convert_dataset("avqa", tmp_path / "avqa")


def test_an_unknown_name_and_a_broken_file_are_one_line(tmp_path: Path) -> None:
    assert "Did you mean avqa" in call("data", "convert", "avka", tmp_path, "--out", tmp_path / "x").refusal()
    (tmp_path / "avqa-train.json").write_text('[{"video_id": "1"}]')
    done = call("data", "convert", "music-avqa", tmp_path, "--out", tmp_path / "x")
    assert "item 1: the field 'question_content' is missing" in done.refusal()


def test_words_about_videos_become_words_about_recordings() -> None:
    assert ask_about_audio("What is in the video, and in which videos?") == (
        "What is in the recording, and in which recordings?"
    )
    assert ask_about_audio("Is the videographer heard?") == "Is the videographer heard?"
