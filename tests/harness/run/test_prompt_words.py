"""The words of --prompt and --system: as they are, of a file, or of a model's authors by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Sample
from dtbench.harness.run.prompt_template import fill_template
from dtbench.harness.run.prompt_words import read_prompt, read_system
from dtbench.models.checkpoints.families import built_in_families
from dtbench.models.checkpoints.prompts import authors_prompts

SAMPLE = Sample("1", "Who calls?", ("a crow", "a {question}"), "a crow", Path("1.wav"))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{question}\n{options}", "Who calls?\n(A) a crow\n(B) a {question}"),
        ("{options:plain}", "a crow\na {question}"),
        ("{options:dotted}", "A. a crow\nB. a {question}"),
        ("{options:inline} {question}", "(A) a crow (B) a {question} Who calls?"),
        ("{options:list}", "['a crow', 'a {question}']"),
        ("{options:other}", "{options:other}"),
    ],
)
def test_options_stand_in_the_layout_that_a_prompt_names(template: str, expected: str) -> None:
    assert fill_template(template, SAMPLE).text == expected


def test_every_prompt_of_authors_shows_question_and_options_and_names_its_source() -> None:
    for name, prompt in authors_prompts().items():
        words = read_prompt(name)
        assert (words.name, words.template, words.system) == (name, prompt.text.strip(), prompt.system)
        text = fill_template(str(words.template), SAMPLE).text
        assert "Who calls?" in text
        assert "a crow" in text
        assert "{options" not in text
        assert all(source.startswith("https://") for source in prompt.source)
        assert prompt.family in built_in_families()


def test_the_words_of_r1_aqa_are_those_of_its_script() -> None:
    text = fill_template(str(read_prompt("r1-aqa/mmau").template), SAMPLE).text
    assert text == (
        "Who calls? Please choose the answer from the following options: ['a crow', 'a {question}']. "
        "Output the final answer in <answer> </answer>."
    )


def test_a_file_stands_before_a_name_and_an_unknown_name_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"--prompt r1-aqua/mmau: there is no such file, and no .* Did you mean r1-aqa"):
        read_prompt("r1-aqua/mmau")
    (tmp_path / "r1-aqa").mkdir()
    (tmp_path / "r1-aqa" / "mmau").write_text("{question} {options}")
    assert read_prompt("r1-aqa/mmau").template == "{question} {options}"
    with pytest.raises(UserError, match=r"--prompt: the prompt needs \{options\};"):
        read_prompt("Well: {question}")


def test_a_system_prompt_is_a_text_or_a_file_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.txt").write_text("Listen well.\n")
    assert [read_system(given) for given in ("own.txt", "Listen well. ", "")] == ["Listen well.", "Listen well.", ""]
    assert read_system("You hear sounds/music.\nAnswer.") == "You hear sounds/music.\nAnswer."
    for gone in ("gone.txt", "./gone", "~/gone.md"):
        with pytest.raises(UserError, match=f"--system {gone}: there is no such file"):
            read_system(gone)
