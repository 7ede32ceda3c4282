"""Reasoning chains as a frame, with marks and the chain of a person; and what clips sound like beside the answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from chat_server import chatting
from command import call
from judges import POINTS, chain_of, honest, mmar_with_criteria
from made_up_run import number_of, write_run
from noisy_run import deafened_run, noisy_clips

import dtbench
from dtbench.harness.acoustics.columns import COLUMNS
from dtbench.harness.frames.rubrics import MOST_CRITERIA, MarksOfAnswer, RubricColumns
from dtbench.harness.frames.samples import samples_table
from dtbench.harness.store.jsonl import Key


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    mmar_with_criteria(folder / "data", 4)
    write_run(
        folder / "run",
        {"mmar": folder / "data"},
        lambda sample, _: chain_of(sample, number_of(sample)) if number_of(sample) else sample.choices[0],
    )
    with chatting(choose=honest) as chat:
        done = call("judge", folder / "run", "--model", "tiny", "--base-url", chat.url)
        assert done.code == 0, done.err
    return folder / "run"


def test_marks_of_a_judge_are_columns_beside_the_answer(judged: Path) -> None:
    rows = samples_table(judged).to_pylist()
    assert [row["rubric_score"] for row in rows][1:] == pytest.approx([0.2, 0.4, 0.6])
    assert [rows[2][f"rubric_point_{place}"] for place in range(5)] == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert list(rows[0])[-6:] == ["rubric_score", *(f"rubric_point_{place}" for place in range(5))]


def test_chains_stand_with_their_length_their_marks_and_the_chain_of_a_person(judged: Path) -> None:
    frame = dtbench.chains_df(judged)
    assert list(frame["id"].str.partition("_")[0]) == ["made-up-1", "made-up-2", "made-up-3"]
    row = frame.iloc[1]
    said = " ".join(f"Says in scene 2 that {point}." for point in POINTS[:2])
    assert (row["thinking"], row["words"], row["chars"]) == (said, len(said.split()), len(said))
    assert row["reference"] == "In scene 2 a door opens and more."
    assert (row["rubric_score"], row["rubric_point_0"], row["rubric_point_4"]) == (pytest.approx(0.4), 1.0, 0.0)
    assert [(mark["judge"], mark["criterion"], mark["met"]) for mark in row["marks"]] == [
        ("tiny", f"Point {place}", float(place < 2)) for place in range(5)
    ]
    assert row["marks"][0]["why"] == "its words are there"
    assert (row["question"], row["choice"], row["correct"]) == ("What is heard,\nin scene 2?", row["answer"], True)


def test_several_judges_have_columns_of_their_own_and_many_criteria_none() -> None:
    def marked(*criteria: str) -> Mapping[Key, MarksOfAnswer]:
        return {Key("a", 0): MarksOfAnswer(0.5, dict.fromkeys(criteria, 1.0), {})}

    two = RubricColumns()
    judged = {"Big 7B": marked("Score", "a b"), "small": marked("a-b")}
    two.add(judged)
    values = {name: each[0] for name, each in two.values(judged, [Key("a", 0)])}
    assert values == {
        "rubric_big_7b_score": 0.5,
        "rubric_big_7b_criterion_score": 1.0,
        "rubric_big_7b_a_b": 1.0,
        "rubric_big_7b_a_b_2": None,
        "rubric_small_score": 0.5,
        "rubric_small_criterion_score": None,
        "rubric_small_a_b": None,
        "rubric_small_a_b_2": 1.0,
    }
    assert two.note() is None
    many = RubricColumns()
    many.add({"one": marked(*map(str, range(MOST_CRITERIA + 1)))})
    assert [name for name, _ in many.values({}, [])] == ["rubric_score"]
    assert "41 criteria, too many for a column each" in (many.note() or "")


def test_what_a_clip_sounds_like_is_joined_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTBENCH_ACOUSTICS", str(tmp_path / "cache"))
    run = deafened_run(tmp_path / "run", noisy_clips(tmp_path / "data", 6), 0.0)
    (tmp_path / "data" / "audio" / "clip of 4.wav").unlink()
    told: list[str] = []
    rows = samples_table(run, acoustics=True, notify=told.append).to_pylist()
    assert list(rows[0])[-len(COLUMNS) :] == [*COLUMNS]
    assert [row["duration_s"] for row in rows] == [1.0, 1.0, 1.0, 1.0, None, None]
    assert rows[0]["snr_db"] == rows[1]["snr_db"] < rows[2]["snr_db"]
    (line,) = told
    assert line.startswith("1 of 3 clips have no acoustic measures: 1 missing; name the folder")
    assert "snr_db" not in samples_table(run).column_names


def test_a_clip_that_the_model_did_not_hear_sounds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTBENCH_ACOUSTICS", str(tmp_path / "cache"))
    data = noisy_clips(tmp_path / "data", 6)
    heard = samples_table(deafened_run(tmp_path / "run", data, 0.0), acoustics=True)
    done = call("run", "--model", "first", "--tasks", "mmar", "--data-dir", data, "--out", tmp_path / "deaf")
    assert done.code == 0, done.err
    told: list[str] = []
    deaf = samples_table(tmp_path / "deaf", acoustics=True, notify=told.append)
    assert deaf["clip_hash"].null_count == 6
    assert dict(zip(deaf["id"].to_pylist(), deaf["snr_db"].to_pylist(), strict=True)) == dict(
        zip(heard["id"].to_pylist(), heard["snr_db"].to_pylist(), strict=True)
    )
    assert told == []
