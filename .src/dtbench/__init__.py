"""dtbench: how well does a large audio-language model reason about what it hears?

Import what you build on from here: `from dtbench import Sample, Task, extract`. A name is loaded when it is first used.
"""

TYPE_CHECKING = False  # as typing has it, whose import would cost a few milliseconds
if TYPE_CHECKING:
    from dtbench import models as models
    from dtbench.harness.api.comparing import GateResult, RunComparison, compare, gate
    from dtbench.harness.api.loaded_run import Run, load, report
    from dtbench.harness.api.running import run, run_async
    from dtbench.harness.api.scoring import FileScores, JudgedRun, RunScores, judge, score
    from dtbench.harness.api.subsets import subset
    from dtbench.harness.core.dataset import Dataset
    from dtbench.harness.core.errors import DataError, DtbenchError, MachineryError, ModelError, TaskError, UserError
    from dtbench.harness.core.marks import TaskScorer
    from dtbench.harness.core.model import Model
    from dtbench.harness.core.schema import (
        Clip,
        Mark,
        NoClip,
        Official,
        OptionLogprobs,
        Prompt,
        Response,
        Sample,
        Score,
    )
    from dtbench.harness.core.scorer import Column, Grouping, Scorer
    from dtbench.harness.core.scorer_names import make_scorer
    from dtbench.harness.core.task import Task
    from dtbench.harness.core.user_warnings import DtbenchWarning
    from dtbench.harness.export.task_dataset import task_dataset
    from dtbench.harness.extract.answer import Extraction, extract
    from dtbench.harness.extract.evidence import set_weak_aside
    from dtbench.harness.frames.chains import chains_df
    from dtbench.harness.frames.faithful import faithful_df
    from dtbench.harness.frames.flips import flips_df
    from dtbench.harness.frames.probes import probe_df
    from dtbench.harness.frames.runs import runs_df
    from dtbench.harness.frames.samples import samples_df, samples_table
    from dtbench.harness.frames.summaries import summary_df
    from dtbench.harness.plot.picture import plot_runs
    from dtbench.harness.store.comparison_types import Comparison
    from dtbench.harness.store.question_types import QuestionRecord
    from dtbench.harness.store.summary_types import Summary
    from dtbench.harness.store.types import Record, RunInfo
    from dtbench.harness.table.paper_table import PaperTable, paper_table

__version__ = "0.1.0"

_PUBLIC = {
    "harness.api.comparing": ("GateResult", "RunComparison", "compare", "gate"),
    "harness.api.loaded_run": ("Run", "load", "report"),
    "harness.api.running": ("run", "run_async"),
    "harness.api.scoring": ("FileScores", "JudgedRun", "RunScores", "judge", "score"),
    "harness.api.subsets": ("subset",),
    "harness.core.dataset": ("Dataset",),
    "harness.core.errors": ("DataError", "DtbenchError", "MachineryError", "ModelError", "TaskError", "UserError"),
    "harness.core.marks": ("TaskScorer",),
    "harness.core.model": ("Model",),
    "harness.core.schema": (
        "Clip",
        "Mark",
        "NoClip",
        "Official",
        "OptionLogprobs",
        "Prompt",
        "Response",
        "Sample",
        "Score",
    ),
    "harness.core.scorer": ("Column", "Grouping", "Scorer"),
    "harness.core.scorer_names": ("make_scorer",),
    "harness.core.task": ("Task",),
    "harness.core.user_warnings": ("DtbenchWarning",),
    "harness.export.task_dataset": ("task_dataset",),
    "harness.extract.answer": ("Extraction", "extract"),
    "harness.extract.evidence": ("set_weak_aside",),
    "harness.plot.picture": ("plot_runs",),
    "harness.frames.chains": ("chains_df",),
    "harness.frames.faithful": ("faithful_df",),
    "harness.frames.flips": ("flips_df",),
    "harness.frames.probes": ("probe_df",),
    "harness.frames.runs": ("runs_df",),
    "harness.frames.samples": ("samples_df", "samples_table"),
    "harness.frames.summaries": ("summary_df",),
    "harness.store.summary_types": ("Summary",),
    "harness.store.comparison_types": ("Comparison",),
    "harness.store.question_types": ("QuestionRecord",),
    "harness.store.types": ("Record", "RunInfo"),
    "harness.table.paper_table": ("PaperTable", "paper_table"),
}
_MODULE_OF = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = [
    "Clip",
    "Column",
    "Comparison",
    "DataError",
    "Dataset",
    "DtbenchError",
    "DtbenchWarning",
    "Extraction",
    "FileScores",
    "GateResult",
    "Grouping",
    "JudgedRun",
    "MachineryError",
    "Mark",
    "Model",
    "ModelError",
    "NoClip",
    "Official",
    "OptionLogprobs",
    "PaperTable",
    "Prompt",
    "QuestionRecord",
    "Record",
    "Response",
    "Run",
    "RunComparison",
    "RunInfo",
    "RunScores",
    "Sample",
    "Score",
    "Scorer",
    "Summary",
    "Task",
    "TaskError",
    "TaskScorer",
    "UserError",
    "chains_df",
    "compare",
    "extract",
    "faithful_df",
    "flips_df",
    "gate",
    "judge",
    "load",
    "make_scorer",
    "paper_table",
    "plot_runs",
    "probe_df",
    "report",
    "run",
    "run_async",
    "runs_df",
    "samples_df",
    "samples_table",
    "score",
    "set_weak_aside",
    "subset",
    "summary_df",
    "task_dataset",
]


def __getattr__(name: str) -> object:
    """Load a public name from the module that defines it."""
    if name not in _MODULE_OF and name != "models":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name == "models":  # for dtbench.models.from_openai
        return import_module(f"{__name__}.models")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    """Every public name, loaded or not."""
    return sorted({*globals(), *__all__})
