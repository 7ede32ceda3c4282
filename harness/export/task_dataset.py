"""Any task as a data set of `datasets`, in memory or saved to disk: its questions, and its clips as published.

Columns: id, question, choices, answer (null where the authors withhold it), groups (a text by heading) and audio, an
Audio column that is not decoded, or a list of them where a question has several clips.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.installed import install_command
from dtbench.harness.core.schema import Sample, clip_name
from dtbench.harness.core.task import Task, load_questions
from dtbench.harness.store.atomic import write_failure
from dtbench.harness.store.leftovers import temporary_folder
from dtbench.tasks import registry as task_registry

if TYPE_CHECKING:
    import datasets

ROWS_AT_ONCE = 64
"""More of them hold more clips in memory."""


def task_dataset(
    task: str | Task, to: str | Path | None = None, *, data_dir: str | Path | None = None, limit: int | None = None
) -> datasets.Dataset:
    """Return the questions and clips of a task as a `datasets.Dataset`; with `to`, saved in that new folder first."""
    definition = task_registry.get_task(task) if isinstance(task, str) else task
    data = load_questions(definition, None if data_dir is None else Path(data_dir))
    samples = itertools.islice(data.samples, limit)
    headings = dict.fromkeys(name for sample in itertools.islice(data.samples, limit) for name in sample.groups)
    several = data.most_clips > 1
    features = task_features(headings, several=several)
    rows = (_row(sample, headings, several=several) for sample in samples)
    return dataset_of(rows, features) if to is None else save_dataset(rows, features, Path(to))


def need_datasets() -> Any:
    """Return the module datasets; a UserError that says how to install it where it is not there."""
    try:
        import datasets
    except ImportError as error:
        raise UserError(f"this needs datasets ({error}): {install_command('datasets')} installs it.") from None
    return datasets


def task_features(headings: Iterable[str], *, several: bool = False) -> Any:
    """Return the columns of a task, groups by these headings; a list of clips where questions have several."""
    datasets = need_datasets()
    text, clip = datasets.Value("string"), datasets.Audio(decode=False)
    return datasets.Features(
        {
            "id": text,
            "question": text,
            "choices": [text],
            "answer": text,
            "groups": {str(name): text for name in headings},
            "audio": [clip] if several else clip,
        }
    )


def audio_cells(sample: Sample) -> list[dict[str, Any]]:
    """Return clips as an Audio column holds each: its bytes and the name of its file."""
    from dtbench.harness.audio.prepare import read_clip

    return [{"bytes": read_clip(clip), "path": Path(clip_name(clip)).name} for clip in sample.clips]


def _row(sample: Sample, headings: Iterable[str], *, several: bool) -> dict[str, Any]:
    cells = audio_cells(sample)
    return {
        "id": sample.id,
        "question": sample.question,
        "choices": list(sample.choices),
        "answer": sample.answer,
        "groups": {str(name): sample.groups.get(name) for name in headings},
        "audio": cells if several else next(iter(cells), None),
    }


def dataset_of(rows: Iterable[Mapping[str, Any]], features: Any) -> datasets.Dataset:
    """Return the rows as a data set in memory."""
    import pyarrow

    batches = list(_batches(rows, features.arrow_schema))
    return need_datasets().Dataset(pyarrow.Table.from_batches(batches, features.arrow_schema))


def save_dataset(rows: Iterable[Mapping[str, Any]], features: Any, to: Path) -> datasets.Dataset:
    """Save the rows as `Dataset.save_to_disk` does, all or nothing, and open the folder, which has to be new.

    The rows pass through a file, so that no more than some are in memory.
    """
    import pyarrow

    library = need_datasets()
    if to.is_file() or (to.is_dir() and any(to.iterdir())):
        raise UserError(f"--to {to}: there is something already; name a new folder.")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(f".{to.name}.saving-", to.parent) as folder:
            stream = Path(folder, "rows.arrow")
            with stream.open("wb") as file, pyarrow.ipc.new_stream(file, features.arrow_schema) as writer:
                for batch in _batches(rows, features.arrow_schema):
                    writer.write_batch(batch)
            with _no_progress_bars(library):
                library.Dataset.from_file(str(stream)).save_to_disk(str(Path(folder, "saved")))
            if to.is_dir():
                to.rmdir()
            Path(folder, "saved").rename(to)
    except OSError as error:
        raise write_failure(to, error) from error
    opened: datasets.Dataset = library.load_from_disk(str(to))
    return opened


def _batches(rows: Iterable[Mapping[str, Any]], schema: Any) -> Iterator[Any]:
    import pyarrow

    remaining = iter(rows)
    while some := list(itertools.islice(remaining, ROWS_AT_ONCE)):
        yield pyarrow.RecordBatch.from_pylist(some, schema=schema)


@contextlib.contextmanager
def _no_progress_bars(library: Any) -> Iterator[None]:
    """Leave the terminal alone for as long as the block runs."""
    hidden = library.are_progress_bars_disabled()
    library.disable_progress_bars()
    try:
        yield
    finally:
        if not hidden:
            library.enable_progress_bars()
