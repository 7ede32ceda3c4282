"""`dtbench run --log`: what W&B, MLflow and Trackio keep of a run, by their own clients, without a network."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from neighbours import DTBENCH, need_neighbour, run_neighbour

pytestmark = pytest.mark.neighbour
ASKED = 8


def logged(folder: Path, name: str, **environment: str) -> dict[str, Any]:
    """Run a model on some questions and log it; the summary of its task."""
    asked = ("run", "--model", "first", "--tasks", "mini", "--limit", str(ASKED), "--data-dir", folder / "data")
    run_neighbour([*DTBENCH, *asked, "--out", folder / "out", "--log", name], folder, **environment)
    (task,) = json.loads((folder / "out" / "summary.json").read_text())["tasks"]
    return dict(task)


def record_of(folder: Path) -> dict[str, Any]:
    """The first record of the run."""
    return dict(json.loads((folder / "out" / "mini.jsonl").read_text().splitlines()[0]))


def is_report(content: bytes) -> bool:
    """Whether this is the page that `dtbench report` writes."""
    return content.lstrip().lower().startswith(b"<!doctype html>") and b"mini" in content


def test_mlflow_keeps_figures_settings_answers_and_report(tmp_path: Path) -> None:
    need_neighbour("mlflow")
    store = tmp_path / "mlflow.db"
    task = logged(tmp_path, "mlflow", MLFLOW_TRACKING_URI=f"sqlite:///{store}")
    with sqlite3.connect(store) as base:
        metrics = dict(base.execute("select key, value from metrics"))
        params = dict(base.execute("select key, value from params"))
        ((artifacts,),) = base.execute("select artifact_uri from runs").fetchall()
    assert metrics["mini/official"] == pytest.approx(task["official"]["accuracy"])
    assert metrics["mini/strict_high"] == pytest.approx(task["strict"]["high"])
    assert metrics["mini/unanswered"] == task["unanswered"]
    info = json.loads((tmp_path / "out" / "run.json").read_text())
    assert params["tasks.mini.data.sha256"] == info["tasks"]["mini"]["data"]["sha256"]
    folder = Path(artifacts.removeprefix("file://"))
    table = json.loads((folder / "samples.json").read_text())
    first = dict(zip(table["columns"], table["data"][0], strict=True))
    assert (first["id"], first["response"]) == (record_of(tmp_path)["id"], record_of(tmp_path)["response"]["text"])
    assert len(table["data"]) == ASKED
    assert is_report((folder / "report.html").read_bytes())


def test_wandb_keeps_figures_settings_answers_and_report_offline(tmp_path: Path) -> None:
    need_neighbour("wandb")
    task = logged(tmp_path, "wandb", WANDB_MODE="offline", WANDB_DIR=str(tmp_path), WANDB_SILENT="true",
                  WANDB_DATA_DIR=str(tmp_path / "staged"), WANDB_CACHE_DIR=str(tmp_path / "cache"))  # fmt: skip
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    kept = file.read_bytes()
    assert b"mini/official" in kept
    assert str(task["official"]["accuracy"]).encode() in kept
    assert b"tasks.mini.data.sha256" in kept
    (table,) = (json.loads(path.read_text()) for path in file.parent.glob("files/media/table/samples_*.table.json"))
    first = dict(zip(table["columns"], table["data"][0], strict=True))
    assert (first["id"], first["correct"]) == (record_of(tmp_path)["id"], record_of(tmp_path)["score"]["correct"])
    assert len(table["data"]) == ASKED
    assert b"out-report" in kept
    staged = [path for path in (tmp_path / "staged").rglob("*") if path.is_file()]
    assert any(is_report(path.read_bytes()) for path in staged), staged


def test_trackio_keeps_figures_settings_answers_and_report(tmp_path: Path) -> None:
    need_neighbour("trackio")
    task = logged(tmp_path, "trackio", TRACKIO_DIR=str(tmp_path / "trackio"))
    (store,) = (tmp_path / "trackio").glob("**/dtbench*.db")
    with sqlite3.connect(store) as base:
        ((metrics,),) = base.execute("select metrics from metrics").fetchall()
        ((config,),) = base.execute("select config from configs").fetchall()
    figures = json.loads(metrics)
    assert figures["mini/official"] == pytest.approx(task["official"]["accuracy"])
    assert "tasks.mini.data.sha256" in json.loads(config)
    rows = figures["samples"]["_value"]
    assert rows[0]["id"] == record_of(tmp_path)["id"]
    assert len(rows) == ASKED
    blobs = [path.read_bytes() for path in (tmp_path / "trackio").glob("artifacts/**/blobs/**/*") if path.is_file()]
    assert [is_report(content) for content in blobs] == [True]
