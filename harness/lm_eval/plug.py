"""How lm-eval comes to know of dtbench: its model by name, its tasks by their folder.

After 0.4.13 lm-eval finds the model by the entry point in pyproject.toml. Until then it is registered by whichever
comes first: a task of ours that is named by its file, or `dtbench lm-eval`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from dtbench.harness.core.errors import UserError, one_line
from dtbench.harness.core.installed import install_command

FOLDER = Path(__file__).with_name("benchmarks")
"""What lm-eval takes as --include_path."""
MODEL = "dtbench"
TARGET = "dtbench.harness.lm_eval.model:DtbenchLM"
COMMANDS = ("run", "ls", "validate")


def need_lm_eval(what: str) -> None:
    """Raise a UserError where lm-eval is not installed."""
    if find_spec("lm_eval") is None:
        raise UserError(f"{what}: lm-eval is not installed here: `{install_command('lm-eval')}`.")


def register_model() -> None:
    """Register the model under its name, once."""
    import lm_eval.models  # noqa: F401 - first: with one model registered, lm-eval no longer looks for its own
    from lm_eval.api.registry import model_registry

    if MODEL not in model_registry:
        model_registry.register(MODEL, target=TARGET)


def task_files(names: Sequence[str] = ()) -> Sequence[Path]:
    """Return the files of our tasks, all or those of these benchmarks; a UserError for one without a file."""
    files = {path.stem.removeprefix("dtbench_"): path for path in sorted(FOLDER.glob("*.yaml"))}
    stems = [name.removeprefix("dtbench_").replace("-", "_") for name in names] or list(files)
    for name, short in zip(names, stems, strict=False):
        if short not in files:
            raise UserError(f"{name}: no task of it for lm-eval. Known: {', '.join(files)}.")
    return [files[short] for short in stems]


def call_lm_eval(arguments: Sequence[str]) -> None:
    """Run lm-eval's own command line with our model and our tasks in it; what it refuses is the user's error."""
    need_lm_eval("dtbench lm-eval")
    register_model()
    from lm_eval.__main__ import cli_evaluate

    sys.argv = ["lm_eval", *_with_folder(arguments)]
    try:
        cli_evaluate()
    except SystemExit as end:
        if end.code in {0, None}:
            raise
        # It has said why; 1 would be a regression that a gate found.
        raise SystemExit(2 if end.code == 1 or isinstance(end.code, str) else end.code) from None
    except (ValueError, KeyError, FileNotFoundError) as error:
        raise UserError(f"lm-eval: {one_line(str(error))}") from error


def _with_folder(arguments: Sequence[str]) -> Sequence[str]:
    """Add our folder of tasks to the arguments, unless they name one: lm-eval takes a single one."""
    if not arguments or any(word in {"-h", "--help"} for word in arguments):
        return arguments
    if any(word.partition("=")[0] == "--include_path" for word in arguments):
        return arguments
    whole = list(arguments) if arguments[0] in COMMANDS else ["run", *arguments]
    return [*whole, "--include_path", str(FOLDER)]
