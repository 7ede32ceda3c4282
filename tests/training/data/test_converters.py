"""Data sets of others: small ones in exactly the layouts in which they are published."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest
import soundfile
from command import call
from sounds import encoded, loudness, pitch, sine

from dtbench.harness.core.errors import DataError
from dtbench.training.data.converters.cochlscene import ALIKE, SCENES
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


def audioset(folder: Path) -> None:
    head = "# Segments csv created\n# num_ytids=6, num_segs=7\n# YTID, start_seconds, end_seconds, positive_labels\n"
    folder.mkdir(parents=True)
    (folder / "balanced_train_segments.csv").write_text(
        f'{head}-AbCdEfGhIj, 30.000, 40.000, "/m/animal,/m/dog,/m/bark,/m/music"\n'
        'KlMnOpQrStU, 0.000, 10.000, "/m/music"\n'
        'VwXyZ012345, 5.000, 15.000, "/m/dog,/m/gone"\n'
        'gone0000000, 0.000, 10.000, "/m/music"\n'
    )
    (folder / "unbalanced_train_segments.csv").write_text(
        f'{head}-AbCdEfGhIj, 70.000, 80.000, "/m/music"\nsixth_00000, 7.000, 17.000, "/m/gone"\n'
    )
    (folder / "eval_segments.csv").write_text(f'{head}evaluation0, 0.000, 10.000, "/m/dog"\n')
    children = {"animal": ["dog"], "dog": ["bark"], "bark": [], "music": []}
    names = {"animal": "Animal", "dog": "Dog", "bark": "Bark, woof", "music": "Music"}
    ontology = [
        {"id": f"/m/{key}", "name": names[key], "description": "", "citation_uri": "", "positive_examples": []}
        | {"child_ids": [f"/m/{child}" for child in below], "restrictions": ["abstract"] if key == "animal" else []}
        for key, below in children.items()
    ]
    (folder / "ontology.json").write_text(json.dumps(ontology))
    for name in ("-AbCdEfGhIj_30.000", "YKlMnOpQrStU", "VwXyZ012345_5000_15000", "-AbCdEfGhIj_70_80", "sixth_00000"):
        clip(folder / "clips" / f"{name}.wav")


def magnatagatune(folder: Path) -> None:
    header = ("clip_id", "no voice", "guitar", "slow", "mp3_path")
    items = [
        ("2", "0", "1", "1", "a/band-song-30-59.mp3"),
        ("6", "0", "0", "0", "a/band-song-59-88.mp3"),
        ("10", "1", "0", "0", "0/other-song-0-29.mp3"),
        ("11", "0", "1", "0", "c/valid-song-0-29.mp3"),
        ("12", "0", "1", "0", "f/test-song-0-29.mp3"),
        ("14", "0", "1", "0", "b/gone-song-0-29.mp3"),
        ("22", "0", "1", "0", "6/empty-song-0-29.mp3"),
    ]
    folder.mkdir(parents=True)
    rows = ["\t".join(f'"{cell}"' for cell in cells) for cells in (header, *items)]
    (folder / "annotations_final.csv").write_text("\r\n".join(rows) + "\r\n")
    for *_, path in items:
        clip(folder / "mp3" / path)
    (folder / "mp3" / "b" / "gone-song-0-29.mp3").unlink()
    (folder / "mp3" / "6" / "empty-song-0-29.mp3").write_bytes(b"")


def transcript(folder: Path, side: str, *turns: tuple[float, float, str]) -> None:
    path = folder / "swb_ms98_transcriptions" / side[2:4] / side[2:6] / f"{side}-ms98-a-trans.text"
    path.parent.mkdir(parents=True, exist_ok=True)
    said = [f"{side}-ms98-a-{at + 1:04} {start} {end} {words}\n" for at, (start, end, words) in enumerate(turns)]
    path.write_text("".join(said))


def recording(path: Path, seconds: float) -> None:
    """Two channels as the LDC has them: the first speaker at 440 Hz, the second silent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = sine(440, seconds, 8000)
    path.write_bytes(encoded(numpy.stack([tone, 0 * tone], axis=1), 8000, "NIST", "ULAW").data)


def switchboard(folder: Path) -> None:
    hello = (0.0, 2.0, "hi [laughter] um y[ou]- [laughter-yes] them_1 [silence] {alrighty} [tack/talking] [noise]")
    transcript(folder, "sw2001A", hello, (2.0, 9.0, "[silence]"), (9.0, 40.0, "well"))
    transcript(folder, "sw2001B", (0.0, 2.0, "[silence]"), (2.25, 8.0, "-[o]kay <b_aside> right <e_aside> i-"))
    transcript(folder, "sw2002A", (0.0, 5.0, "hello"), (5.0, 40.0, "well"))
    transcript(folder, "sw2002B", (1.0, 45.0, "so"))
    for number in ("2003", "2004", "2005"):
        transcript(folder, f"sw{number}A", (0.0, 2.0, "hi"))
        if number != "2004":
            transcript(folder, f"sw{number}B", (2.0, 4.0, "hello"))
    recording(folder / "swb1d1" / "data" / "sw02001.sph", 31)
    recording(folder / "swb1d1" / "data" / "sw02002.sph", 1)
    recording(folder / "swb1d1" / "data" / "sw02004.sph", 4)
    (folder / "swb1d1" / "data" / "sw02005.sph").write_bytes(b"NIST_1A\n   1024\nsample_coding -s3 odd\nend_head\n")


def cochlscene(folder: Path) -> None:
    for part, scene in (
        *(("Train", name) for name in ("Bus", "Cafe", "Restaurant", "SubwayStation", "Beach")),
        *(("Val", "Bus"), ("Test", "Bus")),
    ):
        clip(folder / "CochlScene" / part / scene / f"{scene}_user0001_14967989_00{len(part)}.wav")


LAYOUTS = {
    "avqa": avqa,
    "audiomcq": audiomcq,
    "musicbench": musicbench,
    "iemocap": iemocap,
    "music-avqa": music_avqa,
    "audioset": audioset,
    "magnatagatune": magnatagatune,
    "switchboard": switchboard,
    "cochlscene": cochlscene,
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


def test_audioset_gives_drafts_with_labels_of_which_none_only_says_less_than_another(tmp_path: Path) -> None:
    converted = made("audioset", tmp_path)
    clips = {row.id: (row.audio.stem, row.extra["labels"]) for row in converted.rows}
    assert clips == {
        "audioset--AbCdEfGhIj-30": ("-AbCdEfGhIj_30.000", ["Bark, woof", "Music"]),
        "audioset-KlMnOpQrStU-0": ("YKlMnOpQrStU", ["Music"]),
        "audioset-VwXyZ012345-5": ("VwXyZ012345_5000_15000", ["Dog"]),
        "audioset--AbCdEfGhIj-70": ("-AbCdEfGhIj_70_80", ["Music"]),
    }
    assert converted.drafts == 4
    assert converted.skipped == Counter({"its clip is not there": 1, "the ontology has none of its labels": 1})


def test_magnatagatune_gives_drafts_of_what_players_agreed_on_and_none_of_validation_or_tests(tmp_path: Path) -> None:
    converted = made("magnatagatune", tmp_path)
    assert [(row.id, row.extra["labels"]) for row in converted.rows] == [
        ("magnatagatune-2", ["guitar", "slow"]),
        ("magnatagatune-10", ["no voice"]),
    ]
    assert converted.rows[0].audio == tmp_path / "magnatagatune" / "mp3" / "a" / "band-song-30-59.mp3"
    assert converted.skipped == Counter(
        {
            "its folder is for validation or tests": 2,
            "players agreed on no tag": 1,
            "its clip is not there": 1,
            "its clip is empty": 1,
        }
    )


def test_switchboard_cuts_an_excerpt_of_whole_turns_of_both_speakers_and_writes_its_words(tmp_path: Path) -> None:
    converted = made("switchboard", tmp_path)
    (row,) = converted.rows
    assert row.extra["notes"].endswith("What they say: A: hi (laughs) um yes them alrighty tack B: right")
    assert row.audio == tmp_path / "switchboard" / "excerpts" / "sw2001-0-8000.wav"
    wave, rate = soundfile.read(row.audio)
    assert (wave.shape, rate) == ((64_000,), 8000)
    assert pitch(wave, rate) == pytest.approx(440, abs=1)
    assert loudness(wave) == pytest.approx(0.25 / 2**0.5, rel=0.01)
    assert converted.skipped == Counter(
        {
            "no half a minute of it has both speakers in whole turns": 1,
            "its recording is not there": 1,
            "the transcript of its other speaker is not there": 1,
            "its recording cannot be decoded (a compressed .sph: convert it to WAV with sph2pipe)": 1,
        }
    )


def test_a_recording_that_ends_before_its_transcript_makes_no_row(tmp_path: Path) -> None:
    switchboard(tmp_path / "switchboard")
    recording(tmp_path / "switchboard" / "swb1d1" / "data" / "sw02001.sph", 5)
    with pytest.raises(DataError, match="its recording ends before its transcript"):
        convert_dataset("switchboard", tmp_path / "switchboard")


def test_cochlscene_asks_for_the_place_and_never_offers_two_that_sound_alike(tmp_path: Path) -> None:
    converted = made("cochlscene", tmp_path)
    by_scene = {row.extra["groups"]["scene"]: row for row in converted.rows}
    assert {scene: row.answer for scene, row in by_scene.items()} == {
        "Bus": "a bus",
        "Cafe": "a cafe",
        "Restaurant": "a restaurant",
        "SubwayStation": "a subway station",
    }
    assert by_scene["Bus"].id == "cochlscene-Bus_user0001_14967989_005"
    for scene, row in by_scene.items():
        near = {SCENES[other] for places in ALIKE if scene in places for other in places} - {row.answer}
        assert len(set(row.choices)) == 4
        assert row.answer in row.choices
        assert near.isdisjoint(row.choices)
    assert converted.skipped == Counter({"its folder is none of the thirteen places": 1})


@pytest.mark.parametrize(
    ("name", "file", "broken", "told"),
    [
        ("audioset", "balanced_train_segments.csv", "-AbCdEfGhIj, 30.000\n", "line 1: 4 cells are expected"),
        ("audioset", "balanced_train_segments.csv", '-AbCdEfGhIj, x, y, "/m/dog"\n', "line 1: start and end must be"),
        ("audioset", "balanced_train_segments.csv", 'a, 0, 1, "/m/dog\n', "cannot be read"),
        ("magnatagatune", "annotations_final.csv", "clip_id,guitar,mp3_path\n", "line 1: clip_id, tags and mp3_path"),
        ("magnatagatune", "annotations_final.csv", "clip_id\tguitar\tmp3_path\n2\t1\n", "line 2: 3 cells are expected"),
        (
            "switchboard",
            "swb_ms98_transcriptions/20/2001/sw2001A-ms98-a-trans.text",
            "hello\n",
            "line 1: a name, start, end and words are expected, found 'hello'.",
        ),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, name: str, file: str, broken: str, told: str) -> None:
    LAYOUTS[name](tmp_path / name)
    (tmp_path / name / file).write_text(broken)
    refused = call("data", "convert", name, tmp_path / name, "--out", tmp_path / "x").refusal()
    assert told in refused


def test_the_command_names_every_converter() -> None:
    shown = " ".join(call("data", "convert", "--help").out.split())
    assert [name for name in CONVERTERS if name not in shown] == []


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
