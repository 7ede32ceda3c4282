"""What the answers in a folder depend on, and in which of it a new start differs, in the words of a user.

Identity is what changes an answer: model, sampling, prompt, data, clips, order, seed. Everything else is growth: which
questions and tasks the last start asked for, how often, and where things are. Timeouts and devices are neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError, one_line
from dtbench.harness.store.run_json import OWN_KEYS

Traits = dict[str, Any]
"""Noun -> value, or for a dict its parts by name."""

SAMPLING = (
    *("temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "repetition_penalty"),
    *("presence_penalty", "frequency_penalty"),
)
"""Settings of sampling that a model may describe among others."""
_NO_MATTER = {
    *(
        "timeout",
        "proxy",
        "reconnect_timeout",
        "family",
        "architecture",
        "host",
        "chain",
        "oracle",
        "key",
        "sampling_source",
        "quantization",
    ),
}
"""What a model describes and no answer depends on, or what follows from the rest."""
_MACHINE_FLAGS = {
    *("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "api_server_count"),
    *("distributed_executor_backend", "gpu_memory_utilization", "kv_cache_memory_bytes", "swap_space"),
    *("cpu_offload_gb", "max_num_seqs", "max_num_batched_tokens", "enforce_eager", "block_size", "download_dir"),
    *("enable_prefix_caching", "disable_log_requests", "disable_log_stats", "uvicorn_log_level"),
}
"""Flags of vLLM that say how a machine does its work, not what comes out."""
_OF_STYLE = ("max_tokens", "max_completion_tokens", "chat_template_kwargs")
"""Settings that follow from the style of answer where the user names none."""
_LEARNED = frozenset({"right"})
"""What a model learned from the questions of one task."""
_SETTINGS = {
    *OWN_KEYS,
    *("kind", "model", "judge", "models", "endpoint", "long_clips", "track", "tasks", "other_tasks"),
    *(
        "prompt",
        "prompt_hash",
        "calls",
        "judge_seed",
        "scorer",
        "rule",
        "calibration",
        "words",
        "writing_seed",
        "prefill",
    ),
}
_PLURAL = {
    *("sampling", "weights", "data", "clips", "tags around the reasoning", "options of vLLM", "options of the model"),
    *("settings", "rows", "examples", "instructions", "words in its prompts"),
}
_SHOWN_CHARACTERS = 48
_SHOWN_PARTS = 4
_ABSENT = object()


class IdentityDifference(NamedTuple):
    """A trait in which a new start is unlike the answers that are there."""

    noun: str
    before: Any
    now: Any

    def __str__(self) -> str:
        other = "other" if self.noun in _PLURAL else "another"
        return f"{other} {self.noun} ({_both(self.before, self.now)})"


def effective_model(info: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return what run.json says of the model that answered a task."""
    about = _tasks(info).get(task, {})
    return {**info.get("model", {}), **about.get("model", {})}


def is_same_model(before: Mapping[str, Any], now: Mapping[str, Any], task: str) -> bool:
    """Whether one model, sampling alike but for what the style of answer brings, answered the task in both runs."""
    styles = {_tasks(info).get(task, {}).get("answer") for info in (before, now)}
    skipped = _OF_STYLE if len(styles) > 1 else ()
    one, other = (_model_traits(effective_model(info, task), skipped) for info in (before, now))
    return not list(_compare(one, other))


def identity_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[IdentityDifference]:
    """Return in what a start with these settings differs from the answers of a folder; growth is no difference."""
    traits = _TRAITS.get(str(before.get("kind")), _run_traits)
    found: dict[str, IdentityDifference] = {}
    for one, other in traits(before, now):
        for difference in _compare(one, other):
            found.setdefault(difference.noun, difference)
    if "--num-fewshot" in found:
        found.pop("examples", None)
    prompt = found.get("prompt")
    if "answer style" in found or (prompt is not None and prompt.before.text == prompt.now.text):
        found.pop("prompt", None)  # what else is named changed its hash
    settings = ({k: v for k, v in info.items() if k not in _SETTINGS} for info in (before, now))
    for difference in _compare(*({"settings": one} for one in settings)):
        found[difference.noun] = difference
    return list(found.values())


def refuse_other_identity(where: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise a UserError where a start with these settings would mix other answers into a folder."""
    differences = identity_differences(before, now)
    if not differences:
        return
    nouns = [difference.noun for difference in differences]
    hint = " `dtbench score RUN --min-evidence LEVEL --write` changes what counts as an answer without a new run."
    rescore = hint if "--min-evidence" in nouns else ""
    raise UserError(
        f"{where} was made with {_listed(list(map(str, differences)))}. "
        f"Use another --out, or the same {_listed(nouns)}.{rescore}"
    )


Pairs = Iterator[tuple[Traits, Traits]]


def _run_traits(before: Mapping[str, Any], now: Mapping[str, Any]) -> Pairs:
    """Yield the traits of both for each task that is asked now; a new task is compared with one that is there."""
    yield {"rule for long clips": before.get("long_clips")}, {"rule for long clips": now.get("long_clips")}
    there = _tasks(before)
    if not there:
        yield _model_traits(before.get("model", {})), _model_traits(now.get("model", {}))
        return
    for name, about in now.get("tasks", {}).items():
        other = name if name in there else next(iter(there))
        skipped = set() if name == other else _of_tasks(about, there[other])
        yield (
            _model_traits(effective_model(before, other), skipped),
            _model_traits(effective_model(now, name), skipped),
        )
        yield _form_traits(there[other]), _form_traits(about)
        if name == other:
            yield _task_traits(name, there[name]), _task_traits(name, about)


def _of_tasks(*abouts: Mapping[str, Any]) -> set[str]:
    """Return what of a model differs from task to task."""
    return {*_LEARNED, *(name for about in abouts for name in about.get("prescribed", ()))}


def _judge_traits(before: Mapping[str, Any], now: Mapping[str, Any]) -> Pairs:
    def judge(info: Mapping[str, Any]) -> Traits:
        model = _model_traits(info.get("judge", {}))
        return {"judge": model.pop("model"), **model}

    def words(info: Mapping[str, Any]) -> Traits:
        return {"instructions": _Text(info.get("prompt", "")), "seed": info.get("judge_seed")}

    def answers(name: str, about: Mapping[str, Any]) -> Traits:
        return {"--sample": about.get("sample"), "data": f"{name} {about.get('data', {}).get('version')}"}

    def scorer(info: Mapping[str, Any]) -> Traits:
        return {"--scorer": info.get("scorer", "rubric"), "rule of reading": dict(info.get("rule", {}))}

    yield judge(before), judge(now)
    yield scorer(before), scorer(now)
    yield words(before), words(now)
    there = _tasks(before)
    for name, about in now.get("tasks", {}).items():
        if name in there:
            yield answers(name, there[name]), answers(name, about)


def _cot_traits(before: Mapping[str, Any], now: Mapping[str, Any]) -> Pairs:
    def model(info: Mapping[str, Any], step: str) -> Traits:
        traits = _model_traits(info.get("models", {}).get(step, {}))
        return {f"{noun} for each {step}": value for noun, value in traits.items()}

    def words(info: Mapping[str, Any]) -> Traits:
        rows = {step: f"{one['rows']} rows, {one['sha256'][:12]}" for step, one in _tasks(info).items()}
        return {"words in its prompts": info.get("words"), "seed": info.get("writing_seed"), "rows": rows}

    for step in dict.fromkeys([*before.get("models", {}), *now.get("models", {})]):
        yield model(before, step), model(now, step)
    yield words(before), words(now)


def _faithful_traits(before: Mapping[str, Any], now: Mapping[str, Any]) -> Pairs:
    yield _model_traits(before.get("model", {})), _model_traits(now.get("model", {}))
    there = _tasks(before)
    for name, about in now.get("tasks", {}).items():
        if name in there:
            yield {"--sample": there[name].get("sample")}, {"--sample": about.get("sample")}


_TRAITS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Pairs]] = {
    "run": _run_traits,
    "judge": _judge_traits,
    "cot": _cot_traits,
    "faithful": _faithful_traits,
}


def _model_traits(model: Mapping[str, Any], skipped: Collection[str] = ()) -> Traits:
    rest = {name: value for name, value in model.items() if name not in _NO_MATTER and name not in skipped}
    given = rest.pop("sampling", None) or {}
    sampling = {**given, **{name: rest.pop(name) for name in SAMPLING if name in rest}}
    kind, name = rest.pop("name", None), rest.pop("model", None)
    flags = rest.pop("flags", None) or {}
    return {
        "model": name or kind,
        "backend": kind if name else None,
        "weights": rest.pop("content", None),
        "adapter": rest.pop("adapter", None),
        "commit on the hub": _IfKnown(rest.pop("commit", None)),
        "sampling": {name: value for name, value in sampling.items() if name not in skipped},
        "options of vLLM": deciding_flags(flags),
        "clip rate": rest.pop("rate", None),
        "longest clip": rest.pop("limit_seconds", None),
        "way to send clips": rest.pop("audio_part", None),
        "options of the model": rest,
    }


def deciding_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the flags of vLLM that say how a machine does its work."""
    return {name: value for name, value in flags.items() if name not in _MACHINE_FLAGS}


def _form_traits(about: Mapping[str, Any]) -> Traits:
    """Return the traits that all tasks of a run share."""
    return {
        "answer style": about.get("answer"),
        "clips": f"--audio {about.get('audio')}",
        "order of the options": f"--permute {_order(about)}",
        "file of paraphrases": _words(about.get("paraphrase")),
        "seed": about.get("seed"),
        "--think-budget": about.get("think_budget"),
        "--num-fewshot": about.get("num_fewshot", 0),
    }


def _order(about: Mapping[str, Any]) -> str:
    return f"all:{about['order']}" if "order" in about else str(about.get("permute"))


def _words(paraphrase: Mapping[str, Any] | None) -> str | None:
    if paraphrase is None:
        return None
    return f"{paraphrase['file']}, number {paraphrase['number']}, sha256 {paraphrase['sha256'][:12]}"


def _task_traits(name: str, about: Mapping[str, Any]) -> Traits:
    return {
        "data": f"{name} {about.get('data', {}).get('version')}",
        "prompt": _Text(about.get("prompt", ""), about.get("prompt_hash")),
        "--min-evidence": about.get("min_evidence") or _weakest(),
        "tags around the reasoning": ",".join(about.get("chain") or ()) or None,
        "examples": about.get("examples", {}).get("sha256"),
        "channels of the clips": about.get("stereo"),
        "script": about.get("scorer"),
        "sampling of a forced answer": about.get("forced"),
    }


def _weakest() -> str:
    """Return what counted before there were levels."""
    from dtbench.harness.extract.evidence import WEAKEST  # its patterns take long to compile

    return WEAKEST


def _tasks(info: Mapping[str, Any]) -> dict[str, Any]:
    return {**info.get("other_tasks", {}), **info.get("tasks", {})}


class _Text(NamedTuple):
    """A long text, of which only the first difference is shown."""

    text: str
    mark: str | None = None
    """Its hash, where that decides."""


class _IfKnown(NamedTuple):
    """What a start may not know yet, of a checkpoint that it fetches; then it is no difference."""

    value: str | None


_DECIDING = ("model", "judge", "backend")
"""Where one of these differs, whatever else a model says of itself follows."""


def _compare(one: Traits, other: Traits) -> Iterator[IdentityDifference]:
    """Yield the traits that differ, less those that follow from another one."""
    differing = [noun for noun in one if not _is_equal(one[noun], other.get(noun))]
    deciding = [noun for noun in differing if noun.partition(" for each ")[0] in _DECIDING]
    for noun in deciding[:1] or differing:
        yield IdentityDifference(noun, one[noun], other.get(noun))


def _is_equal(one: Any, other: Any) -> bool:
    """Compare as JSON does: 1 is 1.0 but not true."""
    if isinstance(one, _IfKnown) and isinstance(other, _IfKnown):
        return None in {one.value, other.value} or one.value == other.value
    if isinstance(one, _Text) and isinstance(other, _Text):
        return one.mark == other.mark if one.mark and other.mark else one.text == other.text
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_equal(one[key], other[key]) for key in one)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _both(before: Any, now: Any) -> str:
    if isinstance(before, _Text) and isinstance(now, _Text):
        one, other = shorten_to_difference(one_line(before.text), one_line(now.text))
        return f"first difference: {one!r}; now {other!r}"
    if isinstance(before, dict) and isinstance(now, dict):
        pairs = ((name, before.get(name, _ABSENT), now.get(name, _ABSENT)) for name in {**before, **now})
        parts = [f"{one_line(name)} {'; now '.join(_pair(a, b))}" for name, a, b in pairs if not _is_equal(a, b)]
        more = len(parts) - _SHOWN_PARTS
        return _listed(parts[:_SHOWN_PARTS] + ([f"{more} more"] if more > 0 else []))
    return "; now ".join(_pair(before, now))


def _pair(before: Any, now: Any) -> tuple[str, str]:
    return shorten_to_difference(_shown(before), _shown(now))


def _shown(value: Any) -> str:
    value = value.value if isinstance(value, _IfKnown) else value
    if value is None or value is _ABSENT:
        return "not set" if value is _ABSENT else "none"
    return one_line(value if _is_plain(value) else json.dumps(value, ensure_ascii=False))


def _is_plain(value: Any) -> bool:
    """Whether a text cannot be taken for anything else, so that it needs no quotes."""
    if not isinstance(value, str) or value.strip() in {"", "none", "not set"}:
        return False
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return True
    return False


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def shorten_to_difference(before: str, now: str) -> tuple[str, str]:
    """Return both texts, shortened to where they begin to differ."""
    ends = (place for place, pair in enumerate(zip(before, now, strict=False)) if pair[0] != pair[1])
    same = next(ends, min(len(before), len(now)))
    cut = max(0, same - _SHOWN_CHARACTERS // 2) if max(len(before), len(now)) > _SHOWN_CHARACTERS else 0
    return _part(before, cut), _part(now, cut)


def _part(text: str, begin: int) -> str:
    end = begin + _SHOWN_CHARACTERS
    return f"{'...' if begin else ''}{text[begin:end]}{'...' if end < len(text) else ''}"
