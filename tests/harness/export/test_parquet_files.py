"""`export --format parquet`: a data set that `datasets` loads, its card, and how it gets to a hub."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import yaml
from command import call, process
from exported_runs import QUESTIONS, speaks, write_mini_run, write_mmar_run
from hub_server import serving_hub
from made_up_run import write_run
from runs import mmar_data

from dtbench.harness.export.data_card import plain_text

TOKEN = "hf_" + "a1B2c3D4e5F6g7H8"


def exported(run: Path, *options: str | Path) -> dict[str, Any]:
    """What `--json` says of an export."""
    done = call("export", run, "--format", "parquet", "--json", *options)
    assert done.code == 0, done
    return dict(json.loads(done.out))


def card_head(folder: Path) -> dict[str, Any]:
    """The YAML at the head of the card."""
    _, head, _ = (folder / "README.md").read_text().split("---\n", 2)
    return dict(yaml.safe_load(head))


def test_load_dataset_reads_the_folder_with_the_types_that_the_card_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    folder = Path(exported(write_mini_run(tmp_path))["path"])
    assert sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.*")) == [
        "README.md",
        "data/mini.parquet",
    ]
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    rows = loaded["test"]
    records = [json.loads(line) for line in (tmp_path / "run" / "mini.jsonl").read_text().splitlines()]
    assert {row["id"]: row["response"] for row in rows} == {one["id"]: one["response"]["text"] for one in records}
    assert {row["id"]: row["correct"] for row in rows} == {one["id"]: one["score"]["correct"] for one in records}
    assert all(row["answer"] in row["choices"] for row in rows)
    assert rows.features["choices"] == datasets.List(datasets.Value("string"))
    head = card_head(folder)
    assert head["license"] == "apache-2.0"
    assert [one["name"] for one in head["dataset_info"]["features"]] == rows.column_names


def test_a_run_of_two_benchmarks_is_a_data_set_of_two_configurations(tmp_path: Path) -> None:
    import datasets

    mmar_data(tmp_path / "mmar", QUESTIONS)
    run = tmp_path / "run"
    write_run(run, {"mmar": tmp_path / "mmar", "mini": tmp_path / "mini"}, lambda sample, repeat: sample.choices[0])
    exported(run)
    folder = run / "export" / "parquet"
    assert [one["config_name"] for one in card_head(folder)["configs"]] == ["mmar", "mini"]
    assert card_head(folder)["license"] == ["cc-by-nc-4.0", "apache-2.0"]
    loaded = datasets.load_dataset(str(folder), "mini", split="test", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == 600


def test_text_that_a_licence_limits_and_what_is_of_this_machine_stay_out(tmp_path: Path) -> None:
    run = write_mmar_run(tmp_path, repeats=2)
    about = exported(run)
    assert "mmar: the text of questions and options is withheld, its licence is cc-by-nc-4.0" in about["notes"][0]
    file = Path(about["path"], "data", "mmar.parquet")
    table = pyarrow.parquet.read_table(file)
    assert table.num_rows == 2 * QUESTIONS
    for name in ("question", "choices", "answer", "choice"):
        assert table.column(name).null_count == table.num_rows, name
    assert set(table.column("run").to_pylist()) == {"run"}
    assert str(tmp_path).encode() not in file.read_bytes()
    assert "503" not in str(table.to_pylist()), "an error's message may name a server"
    assert "withheld" in Path(about["path"], "README.md").read_text()
    kept = pyarrow.parquet.read_table(Path(exported(run, "--with-text")["path"], "data", "mmar.parquet"))
    assert kept.column("question").null_count == 0


def test_the_card_has_the_scores_and_nothing_that_markdown_takes_for_its_own(tmp_path: Path) -> None:
    mmar_data(tmp_path / "mmar", QUESTIONS)
    run = tmp_path / "run"
    write_run(run, {"mmar": tmp_path / "mmar"}, speaks)
    info = json.loads((run / "run.json").read_text())
    info["model"] = {"name": "<img src=x onerror=alert(1)> | [a](b)\n# c", "model": "/checkpoints/mine/ckpt"}
    (run / "run.json").write_text(json.dumps(info))
    card = Path(exported(run)["path"], "README.md").read_text()
    (task,) = json.loads(call("score", run, "--json").out)
    assert f"{task['official']['accuracy']:.2%}" in card
    assert f"{task['strict']['accuracy']:.2%}" in card
    assert re.findall(r"(?<!\\)<", card) == []
    assert "\n# c" not in card
    assert "/checkpoints/mine" not in card
    assert "# Answers of ckpt\n" in card


@pytest.mark.parametrize("text", ["a|b", "`x`", "<b>", "[a](b)", "# h", "a\nb", "$x$", "~~x~~", "\\"])
def test_a_name_stays_text_in_markdown(text: str) -> None:
    written = plain_text(text)
    assert "\n" not in written
    assert written.replace("\\", "") == text.replace("\n", " ").replace("\\", "")
    signs = [place for place, sign in enumerate(written) if sign in "|`<>[]()#$~"]
    assert all(written[place - 1] == "\\" for place in signs)


def test_the_data_set_is_pushed_to_a_private_repository_with_its_card(tmp_path: Path) -> None:
    run = write_mini_run(tmp_path)
    with serving_hub() as hub:
        # The hub here has no store of chunks; and what huggingface_hub warns of is not ours.
        pushing = ("export", run, "--format", "parquet", "--json", "--push", "me/answers")
        done = process(*pushing, HF_ENDPOINT=hub.url, HF_TOKEN=TOKEN, HF_HUB_DISABLE_XET="1")
        assert done.code == 0, done
        about = json.loads(done.out)
    (pushed,) = hub.pushed
    assert (pushed.repo, pushed.pull_request, pushed.token) == ("datasets/me/answers", False, f"Bearer {TOKEN}")
    folder = run / "export" / "parquet"
    assert pushed.files == {name: (folder / name).read_bytes() for name in ("README.md", "data/mini.parquet")}
    assert [(one["type"], one.get("private") or one.get("visibility")) for one in hub.created] == [
        ("dataset", "private")
    ]
    assert about["pushed"]["files"] == ["README.md", "data/mini.parquet"]
    assert 'load_dataset("me/answers", "mini", split="test")' in (folder / "README.md").read_text()
