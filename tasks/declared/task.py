"""A task that a TOML file declares."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError, TaskError, UserError, format_error
from dtbench.harness.core.lookup import NameTable, look_up
from dtbench.harness.core.marks import CHOICES, TaskScorer
from dtbench.harness.core.records import MetadataRecord
from dtbench.harness.core.schema import Prompt, Sample
from dtbench.harness.core.scorer import AnswerKey, GroupTotal
from dtbench.harness.core.scorer_names import make_scorer
from dtbench.harness.core.task import Task
from dtbench.tasks.data.layouts import make_dataset, task_folder
from dtbench.tasks.declared.clip_paths import ClipPaths
from dtbench.tasks.declared.definition import Definition, parse_definition, read_task_file
from dtbench.tasks.declared.find_files import find_files
from dtbench.tasks.declared.rows import SourceFiles, read_rows
from dtbench.tasks.declared.samples import RecordReader, answer_key, question_of, sample_of_item, transformed
from dtbench.tasks.declared.wording import check_template, fill_template, refuse_absent_fields

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dtbench.tasks.data.download import Arrival, Fetched

    Showing = Callable[[Arrival], AbstractContextManager[None]]

LOG = logging.getLogger(__name__)
OWN_VERSION = "own"
_TRANSFORMS = NameTable("transform", {}, "dtbench.transforms", TaskError)


class DeclaredTask(Task):
    """The task of a definition; everything that a subclass would set is an attribute of the object."""

    name = ""  # of each its own

    def __init__(
        self, definition: Definition, *, defined_in: Path | None = None, trusted: bool = True, fetches: bool = False
    ) -> None:
        """Make the task of a definition; one that is not trusted, as it came with a data set, names no code.

        Where `fetches` is set, files that are nowhere on this machine are fetched when its questions are loaded.
        """
        about = definition.about
        if not trusted:
            _refuse_code(definition)
        self._fetches = fetches
        self.declared = definition
        self.defined_in = defined_in
        self.scorers = _scorers(definition)
        own: dict[str, Any] = {
            "name": about.name,
            "title": about.title,
            "licence": about.licence,
            "paper": about.paper,
            "size": about.size,
            "answers_public": about.answers_public,
            "copies_questions": about.copies_questions,
            "columns": tuple(definition.columns),
            "groupings": tuple(definition.groupings),
            "wordings": {**self.wordings, **about.wordings},
            "open_wordings": {**self.open_wordings, **about.wordings},
            "stereo": about.stereo,
            "total": None if about.total is None else GroupTotal(about.total.by, about.total.weights),
            "definition": definition.table,
        }
        own["prediction_keys"] = (*about.prediction_keys, "prediction", *Task.prediction_keys)
        vars(self).update(own)  # class variables of a Task, here of each object its own
        if about.prompt is not None:
            check_template(about.prompt, f"{definition.place}: prompt")

    @classmethod
    def from_file(cls, path: Path) -> DeclaredTask:
        """Return the task of a user's file."""
        return cls(parse_definition(read_task_file(path), str(path)), defined_in=path)

    @classmethod
    def of_ours(cls, path: Path) -> DeclaredTask:
        """Return the task of a file in tasks/benchmarks: its data is in the folder of all data sets."""
        return cls(parse_definition(read_task_file(path), path.stem))

    @classmethod
    def from_table(cls, table: Mapping[str, Any], place: str) -> DeclaredTask:
        """Return the task of what a file said, which comes from elsewhere and may name no code."""
        return cls(parse_definition(table, place), trusted=False)

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """Yield the questions of its files."""
        return self.load(data_dir).samples

    def load(self, data_dir: Path | None) -> Dataset:
        """Load the questions; the version is the commit of the data set on the hub where there is one."""
        found, about = self._found(self.declared, data_dir), self.declared.about
        clips = ClipPaths(found.root, about.source.clips, about.source.archive)
        reader = RecordReader(self.declared, clips, several_files=len(found.files) > 1)
        source = _source_of(found)
        data = make_dataset(self._checked(reader.samples(self._records(found))), source)
        notes = clips.missing()
        if lost := len(data.unanswerable):
            notes.append(f"{lost} answers are not among their options")
        version = about.source.revision[:7] if about.source.revision else OWN_VERSION
        return Dataset(data.samples, version, str(source), notes)

    @property
    def source(self) -> str:
        """Where its data comes from: a data set of the hub at its commit, URLs, or files."""
        source = self.declared.about.source
        if source.hub is not None:
            return f"{source.hub}@{(source.revision or '')[:7]}"
        return ", ".join(source.urls.values() or source.files)

    def fetch(self, folder: Path, showing: Showing) -> list[Fetched]:
        """Fetch its files into a folder; none where all of them lie beside the task file."""
        from dtbench.tasks.data.download import fetch_all
        from dtbench.tasks.declared.hub import source_files

        source = self.declared.about.source
        if source.hub is None and not source.urls:
            if self.defined_in is None:
                names = ", ".join([*source.files, *source.archive])
                raise UserError(f"{self.name}: dtbench knows no download for it: put {names} into {folder} yourself.")
            return []
        return fetch_all(self.name, source_files(source), folder, showing)

    def _found(self, definition: Definition, data_dir: Path | None) -> SourceFiles:
        home = None if self.defined_in is None else self.defined_in.absolute().parent
        try:
            return find_files(definition, data_dir, home)
        except DataError:
            if not self._fetches:
                raise
        folder = task_folder(self.name, data_dir)
        LOG.info("fetching the data of %s into %s", definition.address, folder)
        self.fetch(folder, lambda arrival: nullcontext())
        return find_files(definition, data_dir, home)

    def _records(self, found: SourceFiles) -> Iterator[MetadataRecord]:
        source, audio = self.declared.about.source, self.declared.fields.get("audio")
        records = read_rows(source, found, None if audio is None else audio.path)
        if source.transform is None:
            return records
        function = _function(source.transform, f"{self.declared.place}: source: transform")
        return transformed(records, function, source.transform)

    def _checked(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Yield the samples, the first of them only when the prompt's fields are there."""
        template = self.declared.about.prompt
        for number, sample in enumerate(samples):
            if number == 0 and template is not None:
                refuse_absent_fields(template, sample.item, sample.groups, f"{self.declared.place}: prompt")
            yield sample

    def examples(self, data_dir: Path | None) -> Sequence[Sample]:
        """Return the questions that its [examples] name, in their files or among its own questions."""
        table = self.declared.about.examples
        if table is None:
            return ()
        if table.files:
            source = dataclasses.replace(self.declared.about.source, files=table.files)
            about = dataclasses.replace(self.declared.about, source=source)
            found = self._found(dataclasses.replace(self.declared, about=about), data_dir)
            clips = ClipPaths(found.root, source.clips, source.archive)
            there = list(RecordReader(self.declared, clips).samples(self._records(found)))
        else:
            there = list(self.samples(data_dir))
        if not table.ids:
            return there
        by_id = {sample.id: sample for sample in there}
        if lost := next((id_ for id_ in table.ids if id_ not in by_id), None):
            raise UserError(f"{self.declared.place}: examples: ids: {lost!r} is not a question of it.")
        return [by_id[id_] for id_ in table.ids]

    def prompt(self, sample: Sample) -> Prompt:
        """Word a question as the file says, to be answered at once."""
        return self.prompt_for(sample, "direct")

    def prompt_for(self, sample: Sample, style: str) -> Prompt:
        """Word a question for a style of answer; the file's own words stand before those of other styles."""
        about = self.declared.about
        if about.prompt is None:
            prompt = self._word_question(sample, style)
        else:
            text = fill_template(about.prompt, sample)
            if style != "direct" or "direct" in about.wordings:
                text = f"{text}\n{self._wording(sample, style)}" if text else self._wording(sample, style)
            prompt = Prompt(text, clips=sample.clips)
        return prompt if about.system is None else dataclasses.replace(prompt, system=about.system)

    def sample_of(self, item: Mapping[str, Any]) -> Sample:
        """Return the question of a published record, for the scorers of prediction files."""
        return sample_of_item(self.declared, item)

    def figures(self, records: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return the figures of the function that the file names."""
        if (path := self.declared.about.figures) is None:
            return {}
        figures: Mapping[str, Any] = _function(path, f"{self.declared.place}: figures")(records)
        return figures

    def answer_key(self, item: Mapping[str, Any]) -> AnswerKey:
        """Return the options and the right one of a published record."""
        return answer_key(self.declared, item, question_of(self.declared, item))


def _scorers(definition: Definition) -> Sequence[TaskScorer]:
    """Return the scorers of the file; without any, options are scored by their text and open answers exactly."""
    if not definition.scores:
        return make_scorer("text", when={CHOICES: True}), make_scorer("exact", when={CHOICES: False})
    made: list[TaskScorer] = []
    for number, table in enumerate(definition.scores, start=1):
        where = f"{definition.place}: score {number}"
        options = {key: value for key, value in table.items() if key not in {"rule", "name", "when"}}
        try:
            made.append(
                make_scorer(
                    table["rule"],
                    name=table.get("name", ""),
                    when=table.get("when", {}),
                    options=options,
                )
            )
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
        names = [one.name for one in made]
        if names.count(made[-1].name) > 1:
            raise UserError(f"{where}: two scorers are called {made[-1].name!r}; give this one a name of its own.")
    return tuple(made)


def _refuse_code(definition: Definition) -> None:
    named = [table["rule"] for table in definition.scores if ":" in table["rule"]]
    for path in [*named, *filter(None, [definition.about.source.transform, definition.about.figures])]:
        raise UserError(
            f"{definition.place}: {path} is code, and a task that a data set or a run carries may name none. If you "
            f"trust it, name its file with --task-file."
        )


def _function(path: str, where: str) -> Any:
    try:
        value, _ = look_up(_TRANSFORMS, path)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if not callable(value):
        raise UserError(f"{where}: {path} is {type(value).__name__}, and a function is expected.")

    def call(argument: Any) -> Any:
        try:
            return value(argument)
        except Exception as error:  # someone else's code
            raise TaskError(f"{where}: {path} failed with {format_error(error)}.") from error

    return call


def _source_of(found: SourceFiles) -> Path:
    """Return the one file, where it lies at the top of its folder, or the folder: the questions are found by it."""
    one = found.files[0] if len(found.files) == 1 else None
    return one if one is not None and one.parent == found.root and one.is_file() else found.root
