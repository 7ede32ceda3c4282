"""The task mini, as a run, a reward and a person with a terminal meet it."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import pytest
from chat_server import chatting
from command import call, process
from runs import records

from dtbench.harness.audio.prepare import prepare_audio, read_clip
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Sample
from dtbench.harness.extract.answer import extract
from dtbench.tasks.data.sources import PUBLISHED_CONTENT
from dtbench.tasks.mini import VERSION
from dtbench.tasks.mini_world.clips import GeneratedClip
from dtbench.tasks.mini_world.events import LETTERS, VOCABULARY
from dtbench.tasks.registry import get_task
from dtbench.training.mini.examples import DIRECT, THINKING

NAMES = ("mini", "mini-train-1", "mini-train-2")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    folder = tmp_path_factory.mktemp("data")
    return {name: get_task(name).load(folder) for name in NAMES}


@pytest.fixture(scope="module")
def splits(loaded: dict[str, Dataset]) -> dict[str, list[Sample]]:
    return {name: list(data.samples) for name, data in loaded.items()}


@pytest.fixture(scope="module")
def samples(splits: dict[str, list[Sample]]) -> list[Sample]:
    return splits["mini"]


@pytest.mark.parametrize("name", NAMES)
def test_the_questions_are_the_same_on_every_machine(name: str, loaded: dict[str, Dataset]) -> None:
    data = loaded[name]
    assert len(data.samples) == get_task(name).size
    assert data.sha256 == PUBLISHED_CONTENT[name, VERSION]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "form",
    [
        "{answer}",
        "({letter}) {answer}",
        "<think> {chain} </think> {answer}",
        "<think> {chain} </think> <answer> {answer} </answer>",
        "<answer> {answer} </answer>",
    ],
)
def test_the_right_answer_scores_right_in_every_form_that_the_model_gives_it(
    name: str, form: str, splits: dict[str, list[Sample]]
) -> None:
    mini = get_task(name)
    for sample in splits[name]:
        letter = "ABCDE"[sample.choices.index(str(sample.answer))]
        text = form.format(answer=sample.answer, chain=sample.item["thinking"], letter=letter)
        score = mini.score(sample, extract(text, sample.choices))
        assert (score.correct, score.official.correct) == (True, True), text


def test_both_styles_are_in_the_words_that_the_model_was_taught(samples: list[Sample]) -> None:
    endings = {"direct": DIRECT, "think": THINKING}
    for sample in samples:
        options = " ".join(f"{letter} {choice}" for letter, choice in zip(LETTERS, sample.choices, strict=False))
        for style, ending in endings.items():
            words = get_task("mini").prompt_for(sample, style).text.split()
            assert words == f"{sample.question} {options} {ending}".split()
            assert set(words) <= set(VOCABULARY)


def test_a_wrong_answer_after_the_right_chain_scores_wrong(samples: list[Sample]) -> None:
    for sample in samples:
        wrong = next(choice for choice in sample.choices if choice != sample.answer)
        score = get_task("mini").score(
            sample, extract(f"<think> {sample.item['thinking']} </think> {wrong}", sample.choices)
        )
        assert (score.correct, score.official.correct) == (False, False)


def test_a_record_is_plain_json_and_names_its_group(samples: list[Sample]) -> None:
    for sample in samples:
        assert json.loads(json.dumps(sample.item)) == sample.item
        assert sample.groups == {heading: sample.item[heading] for heading in ("category", "difficulty")}


def test_a_clip_is_written_on_first_use_and_a_damaged_one_again(tmp_path: Path) -> None:
    sample = next(iter(get_task("mini").samples(tmp_path)))
    path = tmp_path / "mini" / "audio" / f"{sample.id}.wav"
    assert not path.parent.exists()
    data = read_clip(sample.audio)
    assert path.read_bytes() == data
    path.write_bytes(data[:-100])
    assert read_clip(sample.audio) == data == path.read_bytes()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_clip_is_heard_where_no_copy_can_be_written(tmp_path: Path) -> None:
    sample = next(iter(get_task("mini").samples(tmp_path)))
    (tmp_path / "mini").write_text("in the way")
    assert prepare_audio(sample.audio, 16_000, None).seconds == 4.0


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mini").write_text("in the way")
    with pytest.raises(DataError, match="this is a file"):
        list(get_task("mini").samples(tmp_path / "mini"))


def test_names_of_clips_tell_nothing(samples: list[Sample]) -> None:
    for sample in samples:
        assert isinstance(sample.audio, GeneratedClip)
        assert sample.audio.path.name == f"{sample.id}.wav"
        assert set(sample.id) <= set("0123456789abcdef")


def test_nothing_but_words_options_and_clip_reaches_an_endpoint(tmp_path: Path) -> None:
    arguments = ("--tasks", "mini", "--limit", "5", "--data-dir", tmp_path, "--out", tmp_path / "out")
    with chatting() as chat:
        assert call("run", "--model", chat.url, *arguments).code == 0
    told = [record["id"] for record in records(tmp_path / "out", "mini")]
    by_id = {sample.id: sample for sample in get_task("mini").samples(tmp_path)}
    asked = {request.json()["messages"][-1]["content"][-1]["text"] for request in chat.asked}
    assert asked == {get_task("mini").prompt(by_id[id_]).text for id_ in told}
    for request in chat.asked:
        body = json.dumps(request.json())
        assert not any(word in body for word in ("boundary", "difficulty", "category", "rubric", "events", *told))


def test_baselines_that_do_not_listen_stay_at_chance(tmp_path: Path, samples: list[Sample]) -> None:
    chance = sum(1 / len(sample.choices) for sample in samples) / len(samples)
    spread = math.sqrt(chance * (1 - chance) / len(samples))
    for model in ("majority", "random", "first"):
        out = tmp_path / model
        assert call("run", "--model", model, "--tasks", "mini", "--out", out).code == 0
        found = [record["score"]["correct"] is True for record in records(out, "mini")]
        assert sum(found) / len(found) == pytest.approx(chance, abs=2.5 * spread)


def test_pull_writes_clips_and_records_and_verify_finds_them_well(tmp_path: Path) -> None:
    done = call("data", "pull", "mini", "--data-dir", tmp_path, "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert (report["version"], report["items"]) == (VERSION, 600)
    lines = [json.loads(line) for line in (tmp_path / "mini" / "items.jsonl").read_text().splitlines()]
    digest = hashlib.sha256()
    for line in lines:
        digest.update((tmp_path / "mini" / line["audio_path"]).read_bytes())
    assert digest.hexdigest() == report["files"][1]["sha256"]
    checked = process("data", "verify", "mini", "--data-dir", str(tmp_path))
    assert checked.code == 0
    assert [line for line in checked.said.splitlines() if not line.startswith("mini: ")] == [], "progress, where slow"
    assert "clips: 600 decoded (0.67 h, longest 4.0 s; 16000 Hz 600; 1-channel 600; WAV 600)" in checked.out


def test_pull_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "mini" / "audio").mkdir(parents=True)
    (tmp_path / "mini" / "audio").rmdir()
    (tmp_path / "mini" / "audio").write_text("in the way")
    refusal = call("data", "pull", "mini", "--data-dir", tmp_path).refusal()
    assert "cannot be written" in refusal
    assert "Name a folder that you may write to." in refusal
