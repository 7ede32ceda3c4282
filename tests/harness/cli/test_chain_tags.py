"""A model's own tags around its chain, from its family to every command that reads its answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from chat_server import Asked, Chat, Turn, chatting
from command import Done, call
from judges import honest, mmar_with_criteria
from own_task import Birds
from reported import samples
from small_data import tone

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.model import chain_tags
from dtbench.harness.core.task import Task
from dtbench.harness.extract.answer import Extraction
from dtbench.harness.score.answer_record import ShownOptions
from dtbench.harness.store.run_folder import StoredRun

ROOT = Path(__file__).resolve().parents[3]
(EXAMPLE,) = re.findall(r"^```toml\n(\[my-model\]\n.*?)^```$", (ROOT / "models/README.md").read_text(), re.M | re.S)
CHAIN = "Says in scene {number} that a door opens. It might be {wrong}; the answer is {wrong}?"


def speaking(opening: str, closing: str) -> Any:
    """An endpoint whose model writes these tags, with another option inside them than after them."""

    def choose(asked: Asked) -> Turn:
        text = asked.json()["messages"][-1]["content"][-1]["text"]
        number = re.search(r"in scene (\d+)", text)
        options = re.findall(r"^\([A-Z]\) (.*)$", text, re.M)
        assert number is not None
        return Turn(f"{opening}{CHAIN.format(number=number[1], wrong=options[1])}{closing}{options[0]}")

    return choose


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for item in mmar_with_criteria(tmp_path / "mmar"):
        clip = tmp_path / "mmar" / item["audio_path"]
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_bytes(tone())
    return tmp_path / "mmar"


def asked_of(chat: Chat, data: Path, *options: str | Path) -> Done:
    run = data.parent / "run"
    return call("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", data, "--out", run, "--json", *options)


def family_file(data: Path, tags: tuple[str, str]) -> Path:
    """The example of models/README.md, as it stands there but for the tags, and the template that it names."""
    (data.parent / "mine.jinja").write_text("{% for message in messages %}{{ message.content }}{% endfor %}")
    file = data.parent / "mine.toml"
    file.write_text(EXAMPLE.replace("<reason>", tags[0]).replace("</reason>", tags[1]))
    return file


def run_with(data: Path, tags: tuple[str, str], *options: str | Path) -> tuple[Path, dict[str, Any]]:
    with chatting(choose=speaking(*tags)) as chat:
        done = asked_of(chat, data, *options)
    assert done.code == 0, done
    return data.parent / "run", json.loads(done.out)["tasks"][0]


def strict(summary: dict[str, Any]) -> int:
    return int(summary["strict"]["correct"])


@pytest.mark.parametrize("tags", [("<reason>", "</reason>"), ("<my-notes>", "</my-notes>")])
def test_the_chain_of_a_family_of_ones_own_reaches_every_command(data: Path, tags: tuple[str, str]) -> None:
    run, summary = run_with(data, tags, "-M", f"family={family_file(data, tags)}")
    assert strict(summary) == 6

    info = json.loads((run / "run.json").read_text())
    assert info["tasks"]["mmar"]["chain"] == list(tags)
    assert "chain" not in info["model"]
    record = next(iter(StoredRun.open(run).records("mmar")))
    assert record["response"]["text"].startswith(tags[0]), "the text stays as the model wrote it"
    chain = record["response"]["text"].partition(tags[1])[0].removeprefix(tags[0])
    assert record["extraction"]["thinking_chars"] == len(chain)

    scored = json.loads(call("score", run, "--json").out)[0]
    assert (strict(scored), scored["differ"]["n"]) == (6, 0)

    exported = call("export", run, "--format", "mmar-rubrics", "--json")
    assert exported.code == 0, exported
    lines = [json.loads(line) for line in (run / "export" / json.loads(exported.out)["file"]).read_text().splitlines()]
    assert chain in [line["thinking_prediction"] for line in lines]
    assert not any(tag in json.dumps(lines) for tag in tags)

    with chatting(choose=honest) as judge:
        done = call("judge", run, "--model", "tiny", "--base-url", judge.url, "--json")
        seen = [one.json()["messages"][-1]["content"] for one in judge.asked]
    assert json.loads(done.out)["rubrics"] == 20.0
    assert any(chain in one for one in seen)
    assert not any(tag in one for one in seen for tag in tags)

    assert call("report", run).code == 0
    (rows,) = samples(run / "report.html")["tasks"]
    pieces = [piece for row in rows for answer in row["runs"][0] for piece in answer["pieces"]]
    assert {kind for kind, _, words in pieces if "might be" in words} == {"chain"}
    assert {kind for kind, is_answer, _ in pieces if is_answer} == {"said"}

    assert call("export", run, "--format", "lm-eval").code == 0
    (samples_file,) = run.rglob("samples_*.jsonl")
    assert all(json.loads(line)["strict"] == 1.0 for line in samples_file.read_text().splitlines())


def test_the_file_of_a_family_with_an_address_is_enough(data: Path) -> None:
    tags = ("<my-notes>", "</my-notes>")
    file, run = family_file(data, tags), data.parent / "run"
    with chatting(choose=speaking(*tags)) as chat:
        file.write_text(re.sub(r"^checkpoint = .*$", f'url = "{chat.url}"', file.read_text(), flags=re.MULTILINE))
        done = call("run", "--model", file, "--tasks", "mmar", "--data-dir", data, "--out", run, "--json")
    assert strict(json.loads(done.out)["tasks"][0]) == 6
    assert json.loads((run / "run.json").read_text())["tasks"]["mmar"]["chain"] == list(tags)


@pytest.mark.parametrize("given", ["<my-notes>,</my-notes>", '["<my-notes>", "</my-notes>"]'])
def test_the_tags_are_an_option_of_a_model(data: Path, given: str) -> None:
    run, summary = run_with(data, ("<my-notes>", "</my-notes>"), "-M", f"chain={given}")
    assert strict(summary) == 6
    assert json.loads((run / "run.json").read_text())["tasks"]["mmar"]["chain"] == ["<my-notes>", "</my-notes>"]


@pytest.mark.parametrize("given", ["<my-notes>", "<a>,<A>", "", "[1, 2]"])
def test_an_option_that_is_no_pair_of_tags_is_refused(data: Path, given: str) -> None:
    with chatting() as chat:
        refusal = asked_of(chat, data, "-M", f"chain={given}").refusal()
    assert refusal == f"error: -M chain={given}: a pair of different tags, such as <reason>,</reason>, is expected."


def test_a_run_with_other_tags_is_another_run(data: Path) -> None:
    run_with(data, ("<my-notes>", "</my-notes>"), "-M", "chain=<my-notes>,</my-notes>")
    with chatting(choose=speaking("<x>", "</x>")) as chat:
        refusal = asked_of(chat, data, "-M", "chain=<x>,</x>").refusal()
    assert "other tags around the reasoning (<my-notes>,</my-notes>; now <x>,</x>)" in refusal


def test_a_run_without_its_tags_is_scored_with_them_and_remembers_them(data: Path) -> None:
    run, summary = run_with(data, ("<my-notes>", "</my-notes>"))
    before = [json.loads(call("score", run, "--json").out)[0] for _ in range(2)]
    assert strict(before[0]) == strict(summary) < 6
    assert "chain" not in json.loads((run / "run.json").read_text())["tasks"]["mmar"]

    once = json.loads(call("score", run, "--chain", "<my-notes>,</my-notes>", "--json").out)[0]
    assert strict(once) == 6
    assert strict(json.loads(call("score", run, "--json").out)[0]) < 6, "nothing was written"

    call("score", run, "--chain", "<my-notes>,</my-notes>", "--write")
    assert strict(json.loads(call("score", run, "--json").out)[0]) == 6
    assert strict(json.loads((run / "summary.json").read_text())["tasks"][0]) == 6


def test_a_prediction_file_and_lines_of_outputs_are_read_with_tags(data: Path) -> None:
    items = [json.loads(line) for line in (data / "MMAR-meta.jsonl").read_text().splitlines()]
    texts = [f"<n>It is {item['choices'][1]}.</n>{item['answer']}" for item in items]
    file = data.parent / "predictions.jsonl"
    file.write_text(
        "".join(json.dumps({**item, "answer_prediction": text}) + "\n" for item, text in zip(items, texts, strict=True))
    )
    scored = json.loads(call("score", "--task", "mmar", "--predictions", file, "--chain", "<n>,</n>", "--json").out)
    assert strict(scored) == 6
    outputs = data.parent / "outputs.jsonl"
    outputs.write_text(
        "".join(
            json.dumps({"choices": item["choices"], "output": text}) + "\n"
            for item, text in zip(items, texts, strict=True)
        )
    )
    read = [json.loads(line) for line in call("extract", outputs, "--chain", "<n>,</n>").out.splitlines()]
    assert [one["choice"] for one in read] == [item["answer"] for item in items]
    assert [one["thinking"] for one in read] == [f"It is {item['choices'][1]}." for item in items]


@pytest.mark.parametrize("command", ["extract", "score"])
def test_a_chain_that_is_no_pair_is_one_line(command: str, tmp_path: Path) -> None:
    file = tmp_path / "outputs.jsonl"
    file.write_text("{}\n")
    rest = (file,) if command == "extract" else ("--task", "mmar", "--predictions", file)
    assert call(command, *rest, "--chain", "<n>").refusal() == (
        "error: --chain <n>: a pair of different tags is expected, with a comma between them, such as "
        "'<reason>,</reason>'."
    )


def test_a_task_with_a_reading_of_its_own_gets_known_tags_in_place_of_the_models() -> None:
    class ByHand(Birds):
        def read(self, text: str, choices: Any) -> Extraction:
            chain, _, answer = text.removeprefix("<think>").rpartition("</think>")
            return Extraction(chain, answer, answer, "by hand")

    shown = ShownOptions(("Jay", "Owl"), forced=False, chain=("<n>", "</n>"))
    task: Task = ByHand()
    assert shown.read(task, "<n>An owl?</n>Jay") == Extraction("An owl?", "Jay", "Jay", "by hand")
    assert ShownOptions(("Jay", "Owl"), forced=True, chain=("<n>", "</n>")).read(task, "<n>B?</n>A").choice == "Jay"


def test_the_verdict_of_a_judge_with_tags_of_its_own_is_the_one_after_its_thoughts(data: Path) -> None:
    run, _ = run_with(data, ("<think>", "</think>"))

    def thinking(asked: Asked) -> Turn:
        verdict = honest(asked).text or ""
        draft = verdict.replace('"score": 0', '"score": 1')
        return Turn(f"<n>{draft}</n>{verdict}")

    for number, (options, rubrics) in enumerate([(("-M", "chain=<n>,</n>"), 20.0), ((), 100.0)]):
        with chatting(choose=thinking) as judge:
            where = ("--model", "tiny", "--base-url", judge.url, "--out", data.parent / f"judge{number}")
            done = call("judge", run, *where, "--json", *options)
        assert json.loads(done.out)["rubrics"] == rubrics, done


def test_a_run_whose_tags_were_changed_by_hand_is_refused_in_one_line(data: Path) -> None:
    run, _ = run_with(data, ("<n>", "</n>"), "-M", "chain=<n>,</n>")
    info = json.loads((run / "run.json").read_text())
    info["tasks"]["mmar"]["chain"] = ["<n>"]
    (run / "run.json").write_text(json.dumps(info))
    assert call("score", run).refusal() == (
        "error: run.json: the chain tags of mmar are ['<n>']: a pair of different tags is expected."
    )


def test_a_model_of_ones_own_describes_its_tags() -> None:
    assert chain_tags({"name": "mine"}) is None
    assert chain_tags({"name": "mine", "chain": ["<n>", "</n>"]}) == ("<n>", "</n>")
    with pytest.raises(MachineryError, match="the model mine describes its chain tags as 'yes': a pair of"):
        chain_tags({"name": "mine", "chain": "yes"})
