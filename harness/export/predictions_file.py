"""Write a run's answers as plain predictions: a line a question, the same for every task.

`dtbench score --predictions FILE --task TASK --metadata DATA` reads them back, with the questions from the data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.export.run_formats import ONE_FILE, ExportedFolder
from dtbench.harness.export.submission_formats import ExportOptions
from dtbench.harness.score.stored_run import StoredTask, find_data, is_whole, questions_beside, submitted_answers
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.record_files import stem_of
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.stored import stored_task, stored_task_names

ENDING = ONE_FILE["predictions"]


def write_predictions(options: ExportOptions) -> ExportedFolder:
    """Write a file for each task: into a folder, or as the file that --out names where there is one task."""
    assert options.run is not None
    run = StoredRun.open(options.run)
    names = stored_task_names(run, options.task)
    out = options.out or run.path / "export" / "predictions"
    is_file = out.suffix == ENDING
    if is_file and len(names) > 1:
        raise UserError(f"--out {out}: the run has several tasks ({', '.join(names)}): name a folder, or one --task.")
    files = [out if is_file else out / f"{stem_of(name)}{ENDING}" for name in names]
    notes: list[str] = []
    for name, file in zip(names, files, strict=True):
        lines = _lines(stored_task(run, name, options.task_file), options, notes)
        content = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(file, content.encode("utf-8", "replace"))
    return ExportedFolder(out.parent if is_file else out, names, files, notes)


def _lines(stored: StoredTask, options: ExportOptions, notes: list[str]) -> Iterator[dict[str, Any]]:
    data = find_data(stored, options.data_dir)
    if data is None or not is_whole(stored, data):
        raise UserError(
            f"the data of {stored.task.name} was not found, {questions_beside(stored).lacking}, and an export needs "
            f"all questions: name the folder of the data with --data-dir."
        )
    texts = {
        record["id"]: record["response"]["text"]
        for record in stored.records()
        if record["sample"] == options.sample and "error" not in record
    }
    silent = 0
    for answer in submitted_answers(stored, data, options.sample):
        if answer.sample.id not in texts:
            silent += 1
            continue
        prediction = answer.submission if answer.sample.choices else stored.known_text(texts[answer.sample.id])
        yield {"id": answer.sample.id, "prediction": prediction, "response": texts[answer.sample.id]}
    if silent:
        notes.append(f"{stored.task.name}: {silent} of {len(data.samples)} questions have no answer and no line")
