"""Find models by name: built-in, by dotted path, or of an installed package; backends.py opens checkpoints."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any

from dtbench.harness.core.errors import DtbenchError, MachineryError, UserError, format_error
from dtbench.harness.core.guarded_model import guard_model
from dtbench.harness.core.lookup import NameTable, list_names, look_up
from dtbench.harness.core.model import Model
from dtbench.harness.core.typed_settings import parse_arguments
from dtbench.models.checkpoints import families

if TYPE_CHECKING:
    from dtbench.harness.core.schema import Sample

MODELS = {
    "replay": "dtbench.models.plain.replay:Replay",
    "random": "dtbench.models.plain.baselines:Random",
    "majority": "dtbench.models.plain.baselines:Majority",
    "first": "dtbench.models.plain.baselines:First",
    "echo-gold": "dtbench.models.plain.baselines:EchoGold",
    "scripted": "dtbench.models.plain.scripted:Scripted",
}
ENGINES: Mapping[str, str] = {
    **dict.fromkeys(("hf", "huggingface", "hf-auto", "hf-multimodal", "hf-audiolm-qwen"), "local"),
    **dict.fromkeys(("vllm", "vllm-vlm"), "vllm"),
}
"""Values of lm-eval's --model that name an engine, not a checkpoint."""
_MODELS = NameTable("model", MODELS, "dtbench.models", MachineryError, families.built_in_families)


def find_model(name: str) -> tuple[object, str]:
    """Return what a name stands for, and its path: a class of models, or a Family of an installed package."""
    if name in ENGINES and name not in model_names():
        engine = ENGINES[name]
        raise UserError(
            f"--model {name}: this names an engine; name the checkpoint itself, and the engine by --backend, as in "
            f"--model org/name --backend {engine}."
        )
    return look_up(_MODELS, name)


def model_names() -> list[str]:
    """List every name of a model or a family, built-in models first."""
    return list_names(_MODELS)


def instantiate(kind: object, path: str, options: Mapping[str, str], samples: Iterable[Sample] | None) -> Model:
    """Make a model of a class, or by a function, with the user's options; a MachineryError where it is no model."""
    if not isinstance(kind, type | FunctionType):
        raise MachineryError(f"model {path} is {type(kind).__name__}, not a class.")
    if isinstance(kind, type):
        _refuse_lacking(kind, path)
    construct: Callable[..., Model] = kind
    from_run: dict[str, object] = {}
    if getattr(kind, "needs_samples", False):
        construct, from_run = getattr(kind, "from_samples"), {"samples": list(samples or ())}  # noqa: B009
    arguments = parse_arguments(construct, options, f"the model {path}", besides=from_run.keys())
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for what the command prints
            model = construct(**from_run, **arguments)
    except DtbenchError:
        raise
    except (Exception, SystemExit) as error:  # someone else's code
        raise MachineryError(f"creating the model {path} failed with {format_error(error)}.") from error
    refuse_no_model_object(model, path)
    return guard_model(model, path)


def refuse_no_model_object(model: object, path: str) -> None:
    """Raise a MachineryError where an object lacks what a model has."""
    _refuse_lacking(model, path)
    if lacking := [name for name in ("listens", "rate", "limit_seconds") if not hasattr(model, name)]:
        raise MachineryError(f"model {path} lacks {', '.join(lacking)}: see dtbench.Model.")
    about: Any = model
    if not isinstance(about.rate, int) or about.rate <= 0:
        raise MachineryError(f"model {path} has the rate {about.rate!r}: a whole number of Hz is expected.")
    if about.limit_seconds is not None and not isinstance(about.limit_seconds, int | float):
        raise MachineryError(f"model {path} has limit_seconds {about.limit_seconds!r}: a number or None is expected.")


def _refuse_lacking(kind: object, path: str) -> None:
    if lacking := [name for name in ("generate", "describe", "aclose") if not callable(getattr(kind, name, None))]:
        raise MachineryError(f"model {path} lacks {', '.join(f'{name}()' for name in lacking)}.")
