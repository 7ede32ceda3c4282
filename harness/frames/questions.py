"""The questions of the runs in a frame as columns, each data set read once however many runs asked it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import GivenTask
from dtbench.harness.frames.columns import arrow_type, text_array, well_formed
from dtbench.harness.score.question_form import QuestionForm
from dtbench.harness.score.run_form import form_of_task
from dtbench.harness.score.stored_run import StoredTask, find_data, is_whole, questions_beside
from dtbench.harness.store.run_folder import StoredRun

if TYPE_CHECKING:
    import pyarrow


class QuestionColumns(NamedTuple):
    """The questions of one task, a column for each field."""

    places: Mapping[str, int]
    question: pyarrow.Array
    choices: pyarrow.Array
    """In the order in which the run showed them, in the data set's words."""
    answer: pyarrow.Array
    """Null where the authors withhold it."""
    sample: Callable[[str], Sample]
    """Returns the question with an id."""

    def row(self, id_: str) -> dict[str, Any]:
        """Return the columns of one question; empty for an id that is none of these."""
        place = self.places.get(id_)
        names = ("question", "choices", "answer")
        return {} if place is None else {name: getattr(self, name)[place].as_py() for name in names}


class QuestionLookup:
    """Finds the questions of each task of a run."""

    def __init__(self, data_dir: Path | None = None) -> None:
        self.refused: list[UserError] = []
        """Why data_dir has not the data of a run."""
        self.accepted = False
        """Whether the data of any run was looked for without a refusal."""
        self._data_dir = data_dir
        self._whole: dict[tuple[str, str], Dataset] = {}
        """Whole data sets, which any run may have asked; a run folder may hold only those that it asked."""
        self._columns: dict[Hashable, QuestionColumns] = {}

    def of(self, part: StoredTask) -> QuestionColumns | None:
        """Return the questions of a task of a run; None where they are gone."""
        about = part.about
        data_set = (part.task.name, about["data"]["sha256"])
        key = (*data_set, form_of_task(about), about["seed"])
        if key in self._columns:
            return self._columns[key]
        data = self._whole.get(data_set) or self._load(part)
        if data is None:
            return None
        columns = _columns(data, part.form)
        if is_whole(part, data):  # a run folder may hold only those that were asked there
            self._whole[data_set], self._columns[key] = data, columns
        return columns

    def _load(self, part: StoredTask) -> Dataset | None:
        try:
            data = find_data(part, self._data_dir)
            self.accepted = True
        except UserError as error:
            if self._data_dir is None:
                raise
            self.refused.append(error)
            return find_data(part, None)
        return data


def questions_beside_answers(run: StoredRun, name: str) -> QuestionColumns | None:
    """Return the questions that a run folder holds of a task whose definition is gone; None where it has them not."""
    about = run.info["tasks"][name]
    part = StoredTask(GivenTask(name, ()), about, partial(run.records, name), run.path)
    data = questions_beside(part).data
    return None if data is None else _columns(data, part.form)


def _columns(data: Dataset, form: QuestionForm) -> QuestionColumns:
    questions: list[str] = []
    choices: list[list[str]] = []
    answers: list[str | None] = []
    for sample in data.samples:
        questions.append(sample.question)
        choices.append(list(form.show(sample).own_choices))
        answers.append(sample.answer)
    places = data.places()
    return QuestionColumns(
        places=places,
        question=text_array(questions),
        choices=_list_array(choices),
        answer=text_array(answers),
        sample=lambda id_: data.samples[places[id_]],
    )


def _list_array(lists: list[list[str]]) -> pyarrow.Array:
    import pyarrow

    kind = arrow_type("strings")
    try:
        return pyarrow.array(lists, kind)
    except UnicodeEncodeError:
        return pyarrow.array([[well_formed(text) for text in each] for each in lists], kind)
