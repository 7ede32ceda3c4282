from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy
import pytest
from sounds import encoded, sine

import dtbench
from dtbench import DataError, NoClip, Sample, Task, UserError

WAVES = [encoded(sine(hertz, 0.2, 16000), 16000).data for hertz in (300, 600, 900)]
ROWS: list[dict[str, Any]] = [
    {
        "id": f"q{number}",
        "question": f"Which tone, {number}?",
        "choices": ["low", "high"],
        "answer": "low" if number else "high",
        "audio": wave,
        "kind": "pure",
    }
    for number, wave in enumerate(WAVES)
]


def questions(task: Task) -> list[tuple[str, str, tuple[str, ...], str | None]]:
    return [(one.id, one.question, one.choices, one.answer) for one in task.samples(None)]


def clips(task: Task) -> list[bytes]:
    return [one.audio.read_bytes() if isinstance(one.audio, Path) else one.audio.read() for one in task.samples(None)]


def as_pandas(rows: Any) -> Any:
    return pytest.importorskip("pandas", reason="pandas is an extra").DataFrame(rows)


def as_polars(rows: Any) -> Any:
    return pytest.importorskip("polars", reason="polars is for tests").DataFrame(rows)


def as_dataset(rows: Any) -> Any:
    return pytest.importorskip("datasets", reason="datasets is an extra").Dataset.from_list(rows)


def as_audio(rows: Any) -> Any:
    datasets = pytest.importorskip("datasets", reason="datasets is an extra")
    packed = [{**row, "audio": {"bytes": row["audio"], "path": None}} for row in rows]
    return datasets.Dataset.from_list(packed).cast_column("audio", datasets.Audio(decode=False))


def as_arrow(rows: Any) -> Any:
    import pyarrow

    return pyarrow.Table.from_pylist(rows)


@pytest.mark.parametrize("table", [list, iter, as_pandas, as_polars, as_arrow, as_dataset, as_audio])
def test_a_table_of_any_kind_is_the_same_task(table: Callable[[Any], Any]) -> None:
    task = Task.of(table(ROWS), name="tones", groups=["kind"])
    assert questions(task) == questions(Task.of(ROWS, name="tones"))
    assert clips(task) == WAVES
    assert task.load(None).sha256 == Task.of(ROWS, name="tones").load(None).sha256
    assert [one.groups for one in task.samples(None)] == [{"kind": "pure"}] * 3


def test_options_are_taken_as_choices_unless_there_are_some() -> None:
    rows = [{"options" if key == "choices" else key: value for key, value in row.items()} for row in ROWS]
    assert questions(Task.of(rows, name="tones")) == questions(Task.of(ROWS, name="tones"))
    both = [{**row, "options": ["neither"]} for row in ROWS]
    assert questions(Task.of(both, name="tones")) == questions(Task.of(ROWS, name="tones"))


def test_audio_columns_that_would_be_decoded_are_read_as_published_also_of_a_shuffled_part() -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is an extra")
    data = as_audio(ROWS).cast_column("audio", datasets.Audio())  # decoding it needs torchcodec
    assert clips(Task.of(data.select([2, 0]), name="tones")) == [WAVES[2], WAVES[0]]


def test_a_stream_of_a_dataset_is_read_undecoded_too() -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is an extra")
    stream = as_audio(ROWS).cast_column("audio", datasets.Audio()).to_iterable_dataset()
    assert clips(Task.of(stream, name="tones")) == WAVES


def test_audio_columns_may_hold_paths(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is an extra")
    for number, wave in enumerate(WAVES):
        (tmp_path / f"{number}.wav").write_bytes(wave)
    named = [{**row, "audio": str(tmp_path / f"{number}.wav")} for number, row in enumerate(ROWS)]
    data = datasets.Dataset.from_list(named).cast_column("audio", datasets.Audio())
    for table in (named, data, as_pandas(named)):
        task = Task.of(table, name="tones")
        assert [one.audio for one in task.samples(None)] == [tmp_path / f"{number}.wav" for number in range(3)]


def test_decoded_audio_is_heard_as_it_is(tmp_path: Path) -> None:
    import soundfile

    stereo = numpy.stack([sine(300, 0.2, 8000), sine(600, 0.2, 8000)])
    rows = [{**ROWS[0], "audio": {"array": stereo, "sampling_rate": 8000}}]
    (clip,) = clips(Task.of(rows, name="tones"))
    wave, rate = soundfile.read(io.BytesIO(clip), dtype="float32")
    assert rate == 8000
    assert numpy.array_equal(wave, stereo.T.astype(numpy.float32))


def test_columns_of_other_names_are_mapped_and_letters_and_places_name_an_option() -> None:
    rows = [
        {"key": 7, "ask": "A?", "options": ("x", "y"), "right": "(b)", "place": 1},
        {"key": 8, "ask": "B?", "options": numpy.array(["x", "y"]), "right": "A", "place": numpy.int64(0)},
    ]
    columns = {"id": "key", "question": "ask", "choices": "options", "answer": "right", "audio": None}
    by_letter = Task.of(rows, name="own", columns=columns, answer="letter")
    by_place = Task.of(rows, name="own", columns={**columns, "answer": "place"}, answer="index")
    expected = [("7", "A?", ("x", "y"), "y"), ("8", "B?", ("x", "y"), "x")]
    assert questions(by_letter) == questions(by_place) == expected
    assert [one.audio for one in by_letter.samples(None)] == [NoClip("7"), NoClip("8")]


def test_what_else_a_row_has_stays_with_its_question() -> None:
    (sample, *_) = Task.of([{**ROWS[0], "thinking": "It hums.", "score": float("nan")}], name="tones").samples(None)
    assert sample.as_published()["thinking"] == "It hums."
    assert sample.as_published()["score"] is None
    assert sample.as_published()["answer"] == "high"


def test_questions_about_one_clip_are_known_to_share_it() -> None:
    rows = [{**ROWS[number % 2], "id": number} for number in range(3)]
    assert Task.of(rows, name="tones").load(None).shared_clips() == {"0": 0, "2": 0}


def test_samples_are_taken_as_they_are() -> None:
    given = Sample("a", "Which?", ("x", "y"), "x", Path("a.wav"), {"kind": "odd"})
    assert list(Task.of([given], name="own").samples(None)) == [given]


def changed(**fields: object) -> list[Mapping[str, Any]]:
    return [ROWS[0], {**ROWS[1], **fields}]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (changed(question=None), {}, r"^tones, row 1: question is None, and a text is expected\.$"),
        (changed(choices="low|high"), {}, r"row 1: choices is 'low\|high', and a list of texts is expected"),
        (changed(choices=["low", 3]), {}, r"row 1: choices holds 3, and a list of texts is expected"),
        (changed(answer=0), {}, "row 1: answer is 0, and the right option's text is expected; answer='index' reads"),
        (changed(answer="C"), {"answer": "letter"}, "row 0: answer is 'high', and its letter among 2 choices"),
        (changed(audio=3), {}, "row 1: audio is int, and a path, bytes or decoded audio is expected"),
        (changed(audio=float("nan")), {}, "row 1: audio is empty, and a path, bytes or decoded audio is expected"),
        (changed(id=1.5), {}, r"row 1: id is 1\.5, and a text or a whole number is expected"),
        (
            [{"question": "?"}],
            {},
            r"row 0: the field 'choices' is missing; found: question; columns=\{'choices': 'NAME'\}",
        ),
        (["a"], {}, "row 0: it is str, and a dict or a dtbench.Sample is expected"),
        (ROWS, {"groups": ["kin"]}, "row 0: the field 'kin' is missing"),
    ],
)
def test_a_row_that_is_no_question_is_named(rows: Any, options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Task.of(rows, name="tones", **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Task.of([], name="tones"), "tones has no question: the rows are empty"),
        (lambda: Task.of("rows.json", name="tones"), "the rows are str, and a list of dicts, a DataFrame"),
        (lambda: Task.of(ROWS, name=" "), "name is ' ', and a text is expected"),
        (lambda: Task.of(ROWS, name="tones", columns={"qestion": "q"}), "Did you mean question"),
        (lambda: Task.of(ROWS, name="tones", answer="number"), "answer is 'number'"),
        (lambda: dtbench.run("first", Task.of(ROWS, name="mini")), "the name of a benchmark of dtbench"),
        (lambda: dtbench.run("first", Task.of(ROWS, name="tones"), data_dir="."), "was given its questions"),
    ],
)
def test_a_task_that_cannot_be_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        call()


def test_a_task_of_rows_is_run_resumed_and_known_for_other_questions(tmp_path: Path) -> None:
    task = Task.of(as_audio(ROWS), name="tones", groups=["kind"])
    run = dtbench.run(lambda wav: "low" if len(wav) else "high", task, out=tmp_path / "run", limit=2)
    assert run.scores()["official"]["groups"]["kind"]["pure"] == {"correct": 1, "counted": 2, "accuracy": 0.5}
    hashes = [hashlib.sha256(wave).hexdigest()[:12] for wave in WAVES]
    heard = [record["audio"]["clip_hash"] for record in run.records() if record["audio"] is not None]
    assert sorted(heard) == sorted(hashes[:2])
    other = Task.of(changed(question="Another?"), name="tones", groups=["kind"])
    with pytest.raises(UserError, match="question"):
        dtbench.run(lambda wav: "low" if len(wav) else "high", other, out=tmp_path / "run")
