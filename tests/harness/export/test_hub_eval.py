"""`export --format hub-eval`: the scores of a run as the hub reads them, and how they get there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from command import call
from exported_runs import write_mini_run, write_mmar_run
from hub_server import Hub, serving_hub
from huggingface_hub import parse_eval_result_entries

from dtbench.tasks.data.sources import SOURCES, HubFile

TOKEN = "hf_" + "a1B2c3D4e5F6g7H8"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine, which HF_ENDPOINT names."""
    with serving_hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


def test_the_entry_names_data_set_task_revision_value_date_and_notes(tmp_path: Path) -> None:
    run = write_mmar_run(tmp_path)
    done = call("export", run, "--format", "hub-eval", "--json", "--source", "https://logs.example/run")
    assert done.code == 0, done
    (file,) = json.loads(done.out)["files"]
    assert Path(file) == run / "export" / "hub-eval" / ".eval_results" / "mmar.yaml"
    (entry,) = parse_eval_result_entries(yaml.safe_load(Path(file).read_text()))
    hub_file = next(one for one in SOURCES["mmar"] if isinstance(one, HubFile))
    assert (entry.dataset_id, entry.dataset_revision, entry.task_id) == (hub_file.repo, hub_file.revision, "mmar")
    (task,) = json.loads(call("score", run, "--json").out)
    assert entry.value == pytest.approx(100 * task["official"]["accuracy"], abs=0.005)
    assert entry.source_url == "https://logs.example/run"
    info = json.loads((run / "run.json").read_text())
    assert (entry.date or "").replace("Z", "+00:00") == info["end"]
    official = task["official"]
    assert f"{official['correct']} right of {official['counted']} counted" in (entry.notes or "")
    assert f"strict {100 * task['strict']['accuracy']:.2f}" in (entry.notes or "")
    assert info["tasks"]["mmar"]["prompt_hash"] in (entry.notes or "")
    assert "6 of 1000 questions were asked" in (entry.notes or ""), "a part of the published set is not all of it"


def test_a_benchmark_without_a_data_set_on_the_hub_takes_one_by_name(tmp_path: Path) -> None:
    run = write_mini_run(tmp_path)
    plain = call("export", run, "--format", "hub-eval")
    assert "no leaderboard lists dtbench/mini; name one with --dataset ORG/NAME" in plain.err
    assert call("export", run, "--format", "hub-eval", "--dataset", "me/beeps@abc123", "--json").code == 0
    (entry,) = yaml.safe_load((run / "export" / "hub-eval" / ".eval_results" / "mini.yaml").read_text())
    assert entry["dataset"] == {"id": "me/beeps", "task_id": "mini", "revision": "abc123"}
    assert "8 of 600 questions were asked" in entry["notes"]


def test_scores_go_to_a_model_as_a_pull_request_that_is_announced_first(tmp_path: Path, hub: Hub) -> None:
    run = write_mini_run(tmp_path, limit=600)
    done = call("export", run, "--format", "hub-eval", "--push", "me/ears")
    assert done.code == 0, done
    (pushed,) = hub.pushed
    assert (pushed.repo, pushed.pull_request, pushed.token) == ("models/me/ears", True, f"Bearer {TOKEN}")
    file = run / "export" / "hub-eval" / ".eval_results" / "mini.yaml"
    assert pushed.files == {".eval_results/mini.yaml": file.read_bytes()}
    assert yaml.safe_load(file.read_text())[0]["source"]["url"] == f"{hub.url}/me/ears"
    said = f"pushing to {hub.url}/me/ears as a pull request: 1 file, {file.stat().st_size:,} bytes"
    assert said in " ".join(done.err.split())
    assert done.out.splitlines()[-1] == f"pushed 1 file: {hub.url}/me/ears/discussions/1"
    assert hub.created == [], "no model is made for a score"
    everything = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(TOKEN.encode() in content for content in everything), "the token is stored nowhere"


def test_scores_go_as_a_commit_where_that_is_asked_for(tmp_path: Path, hub: Hub) -> None:
    run = write_mini_run(tmp_path)
    pushing = ("export", run, "--format", "hub-eval", "--push", "me/ears", "--direct", "--json")
    assert "8 of 600 questions were asked" in call(*pushing).refusal()
    assert hub.pushed == [], "the score of a part of a benchmark is not pushed unasked"
    done = call(*pushing, "--incomplete")
    assert json.loads(done.out)["pushed"]["page"] == f"{hub.url}/me/ears/commit/c0ffee"
    assert [one.pull_request for one in hub.pushed] == [False]


def test_a_hub_that_refuses_is_one_line_without_the_token(tmp_path: Path, hub: Hub) -> None:
    run = write_mini_run(tmp_path)
    hub.refuses = 403
    done = call("export", run, "--format", "hub-eval", "--push", "me/ears", "--incomplete", "--json")
    assert done.code == 3
    line = done.err.splitlines()[-1]
    assert line.startswith(f"error: --push me/ears: the hub at {hub.url} took nothing: ")
    assert TOKEN not in done.err
    assert (run / "export" / "hub-eval" / ".eval_results" / "mini.yaml").exists()


def test_without_a_token_in_the_environment_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_mini_run(tmp_path)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    line = call("export", run, "--format", "hub-eval", "--push", "me/ears").refusal()
    assert "set HF_TOKEN in the environment" in line
    assert not (run / "export").exists()


WRONG = {
    "push of a board's file": (("arc", "--push", "me/ears"), "--push: --format arc does not take it; parquet and hub"),
    "push to no repository": (("hub-eval", "--push", "ears"), "--push ears: not a repository name; ORG/NAME is"),
    "direct without push": (("hub-eval", "--direct"), "--direct: it says how --push pushes"),
    "text of scores": (("hub-eval", "--with-text"), "--with-text: --format hub-eval does not take it"),
    "a source that is no page": (("hub-eval", "--source", "logs"), "--source logs: the URL of a page is expected"),
    "unknown": (("hub-evl",), "--format hub-evl: unknown. Did you mean hub-eval"),
}


@pytest.mark.parametrize("name", WRONG)
def test_options_that_do_not_go_together_are_refused(name: str, tmp_path: Path) -> None:
    arguments, line = WRONG[name]
    assert line in call("export", tmp_path, "--format", *arguments).refusal()
