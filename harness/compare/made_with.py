"""How two runs were made: the clips and prompts of their records, and the versions, engine and precision behind them.

Other clips and other prompts make another measurement. Another version may change answers and often does not: it is
said, and no reason to refuse a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.harness.store.identity import deciding_flags, effective_model
from dtbench.harness.store.provenance import versions_of, why_no_candidate
from dtbench.harness.store.record_provenance import RecordProvenance
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import RunInfo

Setting = tuple[str, Any, Any]
"""A name, and the values of both runs."""
CLIPS = "clips"


def refuse_no_model(run: StoredRun, option: str) -> None:
    """Raise a UserError for a run that an oracle or a baseline answered, whatever may differ between the runs."""
    why = why_no_candidate(run.info["model"])
    if why is not None:
        raise UserError(f"{option} {run.path}: {why}, so nothing can be replaced by it. Name the run of a model.")


def refuse_other_prompt(run: StoredRun, task: str, made: RecordProvenance) -> None:
    """Raise a MachineryError where an answer was given to another prompt than run.json says."""
    prompt_hash = run.info["tasks"][task]["prompt_hash"]
    other = made.other_prompt(prompt_hash)
    if other is not None:
        raise MachineryError(
            f"{run.path}: run.json has another prompt for {task} (hash {prompt_hash}) than the answer to {other.id!r} "
            f"was given to ({other.prompt_hash}): one of them was changed since. Restore the folder, or run it again."
        )


def other_clips(
    before: StoredRun, after: StoredRun, task: str, made: RecordProvenance, made_after: RecordProvenance
) -> Iterator[Setting]:
    """Yield the clips where the same questions were asked with other audio; `--audio shuffle` does so by design."""
    if before.info["tasks"][task]["audio"] != after.info["tasks"][task]["audio"]:
        return
    other = made.other_clips(made_after)
    if other:
        first, more = other[0], f" and {len(other) - 1} more" if len(other) > 1 else ""
        yield CLIPS, f"{first.before} (question {first.id}{more})", first.after


def made_differently(
    before: StoredRun, after: StoredRun, task: str, made: RecordProvenance, made_after: RecordProvenance
) -> Iterator[Setting]:
    """Yield versions, engine and precision of both runs, and whether it is known what clips they were made with."""
    if made.listened and made_after.listened:
        known, known_after = _known(made), _known(made_after)
        yield CLIPS, known, known_after
    one, other = _made_with(before.info, task), _made_with(after.info, task)
    for name in dict.fromkeys([*one, *other]):
        yield name, one.get(name), other.get(name)


def _known(made: RecordProvenance) -> str:
    return "not known (made before clips were hashed)" if made.unhashed else "hashed"


def _made_with(info: RunInfo, task: str) -> dict[str, Any]:
    model, endpoint = effective_model(info, task), info["endpoint"]
    flags = deciding_flags(model.get("flags") or {})
    loaded_as = flags.pop("dtype", None)
    flags.pop("quantization", None)  # a confounder of its own
    return {
        **versions_of(info["starts"]),
        "backend": model.get("name"),
        "engine": endpoint.get("version"),
        "dtype": model.get("dtype") or loaded_as,
        "vllm-flags": _listed(flags),
        "machine": _listed(endpoint.get("machine") or {}),
    }


def _listed(values: Mapping[str, Any]) -> str | None:
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items())) or None
