"""Write a run as a data set: `data/TASK.parquet`, a row for each answer, and a README.md that hubs show as its card.

`datasets.load_dataset(FOLDER)` reads it, as pandas, polars and duckdb read the files. The rows are those of the samples
frame, without what is this machine's: the folder of the run and the messages of errors.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from dtbench.harness.core.errors import UserError
from dtbench.harness.export.data_card import CardTask, data_card
from dtbench.harness.export.run_formats import ExportedFolder
from dtbench.harness.export.stored_answers import withheld_text
from dtbench.harness.export.submission_formats import ExportOptions
from dtbench.harness.frames.samples import samples_table
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.record_files import stem_of
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.stored import stored_task, stored_task_names

if TYPE_CHECKING:
    import pyarrow

OF_THE_DATA_SET = ("question", "choices", "answer", "choice")
"""The columns with text of the benchmark; the model's own words are in the others."""
_OF_THIS_MACHINE = "error_message"


def write_parquet(options: ExportOptions) -> ExportedFolder:
    """Write a file of rows for each benchmark, and the card."""
    assert options.run is not None
    run = StoredRun.open(options.run)
    names, notes = stored_task_names(run, options.task), list[str]()
    path = options.out or options.run / "export" / "parquet"
    (path / "data").mkdir(parents=True, exist_ok=True)
    parts, files = [], []
    for name in names:
        table = samples_table(
            run.path, tasks=name, data_dir=options.data_dir, task_file=options.task_file, notify=notes.append
        )
        part = _part(run, name, options)
        table = _published(table, run.path.resolve().name, withheld=part.withheld)
        notes += [f"{name}: {part.withheld}; --with-text keeps it"] if part.withheld else []
        files.append(path / "data" / f"{stem_of(name)}.parquet")
        replace_whole(files[-1], _parquet_bytes(table))
        parts.append(part._replace(schema=table.schema, rows=table.num_rows, file=f"data/{files[-1].name}"))
    files.append(path / "README.md")
    replace_whole(files[-1], data_card(run, parts, options.push).encode("utf-8", "backslashreplace"))
    return ExportedFolder(path, names, files, notes)


def _part(run: StoredRun, name: str, options: ExportOptions) -> CardTask:
    stored = stored_task(run, name, options.task_file)
    withheld = "" if options.with_text else withheld_text(stored.task)
    summary = stored.summarise(stored.records())
    if not summary["n"]:
        raise UserError(f"{run.path}: there is no answer of {name} in it.")
    return CardTask(name, stored.task.title, stored.task.licence, withheld, stored.about, summary)


def _published(table: pyarrow.Table, run: str, *, withheld: str) -> pyarrow.Table:
    """Return the rows as they may be passed on: the run by its name, and null for what is withheld."""
    import pyarrow

    table = table.drop_columns([_OF_THIS_MACHINE])
    columns = {"run": pyarrow.repeat(run, table.num_rows)}
    if withheld:
        columns |= {name: pyarrow.nulls(table.num_rows, table.schema.field(name).type) for name in OF_THE_DATA_SET}
    for name, values in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, values)
    return table


def _parquet_bytes(table: pyarrow.Table) -> bytes:
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file, compression="zstd")
    return file.getvalue()
