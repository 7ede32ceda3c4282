"""Task files: what is wrong in one is one line with the file, the key, the value and what is allowed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from task_files import BIRDS, TASK, task_text, write_birds

from dtbench.harness.core.errors import DataError, UserError
from dtbench.tasks.declared.definition import parse_definition
from dtbench.tasks.declared.task import DeclaredTask
from dtbench.tasks.registry import task_from_file

PLAIN = tomllib.loads(TASK.read_text())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name =", "birds.toml: not TOML (Invalid value (at end of document))."),
        ("", "birds.toml: name is missing; add it."),
        ("nmae = 'x'", "birds.toml: unknown setting 'nmae'. Did you mean name? Known: name, title, licence"),
        (task_text(name='"a b"'), 'birds.toml: name = "a b": letters, digits, ".", "_" and "-" are expected.'),
        (task_text(name="3"), "birds.toml: name = 3: a text is expected."),
        (task_text(licence="2026-11-30"), "birds.toml: licence = 2026-11-30: a text in quotes, a number"),
        (task_text("files = []"), "birds.toml: source: files is missing; name the files of records, such as files ="),
        (task_text("files = 3"), "birds.toml: source: files = 3: a list is expected."),
        (task_text('file = "a"'), "birds.toml: source: unknown setting 'file'. Did you mean files"),
        (task_text('files = ["../a"]'), 'birds.toml: source: "../a": a path below the folder of the data is expected.'),
        (task_text('files = "a"\nformat = "xml"'), 'birds.toml: source: format = "xml": unknown. Known: json, csv'),
        (task_text('files = "a"\nhub = "x"'), 'birds.toml: source: hub = "x": the name of a data set, ORG/NAME, is'),
        (task_text('files = "a"\nhub = "x/y"'), "birds.toml: source: revision is missing: the commit of the data set"),
        (task_text('files = "a"\nhub = "x/y"\nrevision = "main"'), 'source: revision = "main": the commit of the'),
        (task_text('files = "a"\nrevision = "abcdef0"'), "source: revision without hub: name the data set, as hub ="),
        (task_text(question="7"), "birds.toml: fields: question = 7: the name of a field, a list of names or a table"),
        (task_text().replace("choices =", "choiecs ="), "fields: unknown field 'choiecs'. Did you mean choices?"),
        (
            task_text(audio="{ find = 'x' }"),
            "fields: audio: one of path, columns, value and template is expected, found",
        ),
        (task_text(audio="{ path = 'x', find = '(' }"), 'fields: audio: find = "(": no regular expression (missing ),'),
        (task_text(rule='"txet"'), "birds.toml: score 1: unknown scorer 'txet'. Did you mean text"),
        (task_text(rule="1"), "birds.toml: score 1: rule = 1: the name of a scorer is expected, such as rule ="),
        (task_text(rule='"text"\nloud = true'), "birds.toml: score 1: scorer 'text': it has no option 'loud'."),
        (task_text(rule='"text"\n[[score]]\nrule = "text"'), "score 2: two scorers are called 'text'; give this one"),
        ('prompt = "{options:rows}"\n' + task_text(), "birds.toml: prompt: {options:rows}: unknown layout."),
        (task_text() + '[total]\nof = "x"\n', "birds.toml: total: unknown setting 'of'. "),
        (task_text() + '[total]\nby = "Contnent"\n', 'birds.toml: total: by = "Contnent": no such heading. Did you'),
        (task_text() + "[examples]\n", "birds.toml: examples: files or ids are missing; name the questions that"),
        (task_text() + '[[grouping]]\ntitle = "x"\nheadings = ["a", "b"]\nvalues = ["c"]\n', "values are those of one"),
        ("size = 0\n" + task_text(), "birds.toml: size = 0: at least 1 is expected."),
        ('[[column]]\nname = "x"\n' + task_text().replace("name =", "#", 1), "birds.toml: name is missing; add it."),
    ],
)
def test_a_task_file_that_is_wrong_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    file = write_birds(tmp_path, text)
    with pytest.raises(UserError) as raised:
        task_from_file(file)
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_prompt_that_names_no_field_of_the_records_is_told_when_they_are_read(tmp_path: Path) -> None:
    file = write_birds(tmp_path, 'prompt = "{question} {hour} {where.habitat}"\n' + task_text())
    with pytest.raises(UserError, match=r"birds.toml: prompt: \{hour\}: no such field. .*Known: question, options"):
        task_from_file(file).load(None)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from([*PLAIN, "prompt", "system", "wordings", "examples", "total", "question", "column", "grouping"])


def complaint_of(table: Mapping[str, Any]) -> str:
    """What a task file is refused with; empty where it is read."""
    try:
        parse_definition(table, "birds.toml")
    except UserError as error:
        return str(error)
    return ""


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=3))
def test_whatever_stands_in_a_task_file_is_read_or_refused_in_one_line(changes: Mapping[str, Any]) -> None:
    told = complaint_of({**PLAIN, **changes})
    assert not told or told.startswith("birds.toml: ")
    assert "\n" not in told


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*PLAIN["source"], "urls", "sha256", "rows", "clips", "archive", "split"]), VALUES)
def test_whatever_stands_in_its_source_is_read_or_refused_in_one_line(key: str, value: object) -> None:
    told = complaint_of({**PLAIN, "source": {**PLAIN["source"], key: value}})
    assert not told or told.startswith("birds.toml: source")


def one(tmp_path: Path, item: Mapping[str, Any], **changes: str) -> Any:
    """The one question of a record, by a task file with other lines."""
    file = write_birds(tmp_path, task_text(**changes), [{**BIRDS[0], **item}])
    (sample,) = task_from_file(file).load(None).samples
    return sample


@pytest.mark.parametrize(
    ("item", "kind", "answer"),
    [
        ({"answer": "B"}, "letter", "Jay"),
        ({"answer": " (c) "}, "letter", "Wren"),
        ({"answer": 2}, "index", "Wren"),
        ({"answer": "0"}, "index", "Crow"),
        ({"answer": 1}, "letter-or-index", "Jay"),
        ({"answer": "A"}, "letter-or-index", "Crow"),
    ],
)
def test_an_answer_may_be_a_letter_or_a_place(tmp_path: Path, item: dict[str, Any], kind: str, answer: str) -> None:
    file = write_birds(tmp_path, f'answer_is = "{kind}"\n{task_text()}', [{**BIRDS[0], **item}])
    assert task_from_file(file).load(None).samples[0].answer == answer


@pytest.mark.parametrize(("kind", "answer"), [("letter", "D"), ("letter", "Jay"), ("index", 3), ("index", "B")])
def test_an_answer_that_names_no_option_is_one_line(tmp_path: Path, kind: str, answer: object) -> None:
    file = write_birds(tmp_path, f'answer_is = "{kind}"\n{task_text()}', [{**BIRDS[0], "answer": answer}])
    expected = "its letter" if kind == "letter" else "its place, from 0,"
    with pytest.raises(DataError, match=f"answer is '{answer}', and {expected} among 3 choices is expected"):
        task_from_file(file).load(None)


def test_an_answer_may_be_the_column_that_has_it(tmp_path: Path) -> None:
    item = {"a": "Crow", "b": "Jay", "c": None, "answer": "b"}
    file = write_birds(
        tmp_path, 'answer_is = "column"\n' + task_text(choices='["a", "b", "c"]'), [{**BIRDS[0], **item}]
    )
    sample = task_from_file(file).load(None).samples[0]
    assert (sample.choices, sample.answer) == (("Crow", "Jay"), "Jay")


def test_options_may_be_taken_out_of_a_text(tmp_path: Path) -> None:
    text = "Which bird? (a) Crow (b) Jay"
    rule = r"{ path = 'question', find = '\([a-z]\) (\w+)' }"
    assert one(tmp_path, {"question": text}, choices=rule).choices == ("Crow", "Jay")
    assert one(tmp_path, {"options": "Crow; Jay"}, choices="{ path = 'options', split = ';' }").choices == (
        "Crow",
        "Jay",
    )
    as_json = {"options": json.dumps(["Crow", "Jay"])}
    assert one(tmp_path, as_json, choices="{ path = 'options', json = true }").choices == ("Crow", "Jay")
    assert one(tmp_path, {"options": {"A": "Jay", "B": "Kite", "C": None}}).choices == ("Jay", "Kite")


def test_a_field_may_be_made_of_others(tmp_path: Path) -> None:
    assert one(tmp_path, {"n": 7}, id="{ template = '{where.habitat}-{n}' }").id == "wood-7"
    assert one(tmp_path, {}, answer="{ path = 'answer', map = { Jay = 'Wren' } }").answer == "Wren"
    assert one(tmp_path, {}, Continent="{ value = 'Earth' }").groups["Continent"] == "Earth"
    assert one(tmp_path, {}, Continent="'@file'").groups["Continent"] == "questions"
    assert one(tmp_path, {"skills": ["a", "b"]}, Continent="'skills'").groups["Continent"] == "a, b"
    assert "Continent" not in one(tmp_path, {"continent": None}).groups


def test_options_may_be_shown_of_some_questions_only(tmp_path: Path) -> None:
    rule = "{ path = 'options', unless = { continent = 'Europe' } }"
    items = [BIRDS[0], BIRDS[1]]
    file = write_birds(tmp_path, task_text(choices=rule), items)
    assert [len(sample.choices) for sample in task_from_file(file).load(None).samples] == [0, 2]


def test_records_without_an_id_are_numbered(tmp_path: Path) -> None:
    text = "\n".join(line for line in task_text().splitlines() if not line.startswith("id ="))
    assert list(task_from_file(write_birds(tmp_path, text)).load(None).ids) == ["0", "1", "2"]


TWO_QUESTIONS = """
[[question]]
name = "first"
fields.answer = "answer"
groups.Hop = { value = "single" }

[[question]]
name = "second"
when.continent = "Europe"
fields.question = "then"
fields.answer = { value = "Wren" }
groups.Hop = { value = "multi" }
"""


def test_a_record_may_ask_several_questions(tmp_path: Path) -> None:
    items = [{**BIRDS[0], "then": "And after it?"}, BIRDS[1]]
    task = task_from_file(write_birds(tmp_path, task_text() + TWO_QUESTIONS, items))
    samples = task.load(None).samples
    assert [(one.id, one.question, one.answer, one.groups["Hop"]) for one in samples] == [
        ("b1-first", BIRDS[0]["question"], "Jay", "single"),
        ("b1-second", "And after it?", "Wren", "multi"),
        ("b2-first", BIRDS[1]["question"], "Crow", "single"),
    ]
    assert [task.answer_key(one.item).answer for one in samples] == ["Jay", "Wren", "Crow"]


PROMPT = r'''
prompt = """
{audio 1} Listen in the {where.habitat} ({Continent}).
{question} {{one of}}
{options:dotted}"""
system = "You know birds."
'''


def test_a_prompt_has_the_words_of_the_file(tmp_path: Path) -> None:
    task = task_from_file(write_birds(tmp_path, PROMPT + task_text()))
    sample = task.load(None).samples[0]
    prompt = task.prompt(sample)
    assert prompt.text == (
        "{audio 1} Listen in the wood (Europe).\nWhich bird calls first? {one of}\nA. Crow\nB. Jay\nC. Wren"
    )
    assert (prompt.system, prompt.clips) == ("You know birds.", sample.clips)
    think = task.prompt_for(sample, "think").text
    assert think.startswith(prompt.text)
    assert "<think>" in think.removeprefix(prompt.text)


def test_what_a_task_file_tells_of_itself_is_the_tasks(tmp_path: Path) -> None:
    head = 'paper = "https://example.org"\nsize = 3\n'
    columns = '\n[[column]]\ntitle = "Europe"\nwhere = { Continent = "Europe" }\n\n[[column]]\ntitle = "Avg"\n'
    task = task_from_file(write_birds(tmp_path, head + task_text() + columns))
    assert (task.name, task.title, task.licence, task.paper, task.size) == (
        "birds",
        "Which bird calls?",
        "cc0-1.0",
        "https://example.org",
        3,
    )
    assert [(column.title, dict(column.where)) for column in task.columns] == [
        ("Europe", {"Continent": "Europe"}),
        ("Avg", {}),
    ]


def test_examples_are_questions_of_another_file_or_of_its_own(tmp_path: Path) -> None:
    file = write_birds(tmp_path, task_text() + '\n[examples]\nids = ["b3", "b1"]\n')
    task = DeclaredTask.from_file(file)
    assert [one.id for one in task.examples(None)] == ["b3", "b1"]
    file.write_text(task_text() + '\n[examples]\nfiles = ["shown.jsonl"]\n')
    (tmp_path / "shown.jsonl").write_text(json.dumps({**BIRDS[1], "id": "x1"}))
    (shown,) = DeclaredTask.from_file(file).examples(None)
    assert (shown.id, shown.answer, shown.clips) == ("x1", "Crow", (tmp_path / "clips/b2.wav",))
    file.write_text(task_text() + '\n[examples]\nids = ["b9"]\n')
    with pytest.raises(UserError, match=r"birds.toml: examples: ids: 'b9' is not a question of it"):
        DeclaredTask.from_file(file).examples(None)
