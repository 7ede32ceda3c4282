"""Options that users of other harnesses type from habit: what means the same works, the rest is told what to use.

Read only where the command line has an option that the command does not know, so it costs no call that is right.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DtbenchError, UserError
from dtbench.models.registry import ENGINES

FORMER: Mapping[str, str] = {
    "--task": "--tasks",
    "--tasks": "--task",
    "--audio": "--clips",
    "--prompt": "--judge-prompt",
    **{f"--{role}": f"--{role}-base-url" for role in ("captioner", "writer", "reasoner")},
}
"""Former names of options, and names that another command has: they work without a note."""
RENAMED: Mapping[str, Sequence[str]] = {
    # lm-eval, lmms-eval
    "--output-path": ("--out",),
    "--include-path": ("--task-file",),
    "--system-prompt-file": ("--prompt",),
    "-t": ("--tasks", "--task"),
    "-o": ("--out",),
    "-L": ("--limit",),
    "-f": ("--num-fewshot",),
    "--few-shot": ("--num-fewshot",),
    "--fewshot": ("--num-fewshot",),
    # inspect
    "--log-dir": ("--out",),
    "--model-base-url": ("--base-url",),
    "--max-connections": ("--concurrency",),
    "--epochs": ("--samples",),
    # evalscope, VLMEvalKit, others
    "--datasets": ("--tasks", "--task"),
    "--dataset": ("--tasks", "--task"),
    "--data": ("--tasks",),
    "--dataset-dir": ("--data-dir",),
    "--work-dir": ("--out",),
    "--output": ("--out",),
    "--output-dir": ("--out",),
    "--out-dir": ("--out",),
    "--eval-batch-size": ("--concurrency",),
    "--num-concurrent": ("--concurrency",),
    "--workers": ("--concurrency",),
    "--api-url": ("--base-url",),
    "--api-base": ("--base-url",),
    "--endpoint": ("--base-url",),
    "--url": ("--base-url",),
    "--num-samples": ("--samples",),
    "--repeats": ("--samples",),
    "--max-samples": ("--limit",),
    "--prompt-template": ("--prompt", "--judge-prompt"),
}
"""Options of the same meaning: dtbench's names, of which the command has one."""
SETTINGS: Mapping[str, str] = {
    **{f"--{name.replace('_', '-')}": name for name in ("temperature", "top_p", "top_k", "min_p", "max_tokens")},
    **{
        f"--{name.replace('_', '-')}": name
        for name in (
            *("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "gpu_memory_utilization"),
            *("max_model_len", "dtype", "quantization", "trust_remote_code", "enforce_eager", "chat_template"),
            *("repetition_penalty", "presence_penalty", "frequency_penalty", "timeout"),
        )
    },
    "--max-new-tokens": "max_tokens",
    "--max-gen-toks": "max_tokens",
    "-tp": "tensor_parallel_size",
}
"""Options that are settings of the model here: `-M key=value`."""
PAIRS = ("--model-args", "--gen-kwargs", "--generation-config", "-a")
"""Lists of settings with a comma between them."""
_KEYS = {
    "max_gen_toks": "max_tokens",
    "max_new_tokens": "max_tokens",
    "gpu_memory_utilisation": "gpu_memory_utilization",
}
NEEDLESS: Mapping[str, str] = {
    "--log-samples": "every answer is stored, always",
    "-s": "every answer is stored, always",
    "--apply-chat-template": "the model's chat template is applied, always",
    "--use-cache": "the run folder keeps every answer: the same command resumes",
    "--cache-requests": "the run folder keeps every answer: the same command resumes",
    "--reuse": "the run folder keeps every answer: the same command resumes",
    "--write-out": "every prompt is stored in the run folder",
    "--show-config": "run.json in the run folder holds every setting",
    "--confirm-run-unsafe-code": "no benchmark here runs code of a model",
}
"""Options for what dtbench does anyway: they are left out, with a note."""
SWITCHES = ("--log-samples", "-s", "--write-out", "--show-config", "--confirm-run-unsafe-code", "--reuse")
HINTS: Mapping[str, str] = {
    "--batch-size": "use -M batch_size=N with --backend local; vLLM batches by itself; for requests to an endpoint "
    "use --concurrency N",
    "-b": "use -M batch_size=N with --backend local, or --concurrency N for an endpoint or vLLM",
    "--max-batch-size": "use -M batch_size=N with --backend local, or --concurrency N for an endpoint or vLLM",
    "--device": "use -M device=cuda:0 with --backend local; for vLLM set CUDA_VISIBLE_DEVICES",
    "--system-instruction": "put it into your own prompt template: --prompt FILE",
    "--system-prompt": "put it into your own prompt template: --prompt FILE",
    "--system-message": "put it into your own prompt template: --prompt FILE",
    "--fewshot-as-multiturn": "the examples of --num-fewshot are earlier turns, always; leave it out",
    "--predict-only": "scores cost no time; leave it out, or run `dtbench score RUN` later",
    "--api-key": "set the environment variable DTBENCH_API_KEY or OPENAI_API_KEY: a key on a command line can be read "
    "by others",
    "--verbosity": "use -v, or -vv for more",
    "--hf-hub-log-args": "use `dtbench export RUN --format FORMAT`",
    "--wandb-args": "use --log wandb; wandb reads its own variables, such as WANDB_PROJECT",
    "--list-tasks": "use `dtbench tasks`",
    "--nproc": "use --concurrency N for requests at once, -M tensor_parallel_size=N for GPUs of one model",
    "--num-gpus": "use -M tensor_parallel_size=N",
    "--gpus": "set CUDA_VISIBLE_DEVICES; -M tensor_parallel_size=N spreads a model over N GPUs",
}
"""Options with no counterpart of the same meaning: what to use."""
_CHAT = "/chat/completions"


class Translation(NamedTuple):
    """The command line in dtbench's words."""

    arguments: list[str]
    note: str
    """What to type next time; empty for nothing."""


class _Found(NamedTuple):
    """Where an option stands in the command line."""

    place: int
    typed: str
    value: str | None
    """None where no value follows."""
    inline: bool
    """Whether the value follows after `=` in the same word."""

    def replaced(self, arguments: Sequence[str], words: Sequence[str], *, with_value: bool = True) -> list[str]:
        """Return the command line with these words in its place."""
        end = self.place + (2 if with_value and not self.inline and self.value is not None else 1)
        return [*arguments[: self.place], *words, *arguments[end:]]


def refuse_fraction(arguments: Sequence[str]) -> None:
    """Raise a UserError that says how many questions `--limit 0.1` of another harness would be."""
    found = _find(arguments, "--limit")
    try:
        share = float(found.value or "") if found is not None else 0.0
    except ValueError:
        return
    if not 0 < share < 1:
        return
    tasks = _find(arguments, "--tasks")
    sizes = [
        f"--limit {max(1, round(share * size))} for {name}" for name, size in _sizes(tasks.value or "" if tasks else "")
    ]
    count = ", ".join(sizes) or "--limit 100 for the first hundred of each benchmark"
    raise UserError(f"--limit {share:g}: a number of questions is expected, not a share: use {count}.")


def _sizes(tasks: str) -> Iterator[tuple[str, int]]:
    from dtbench.tasks import registry

    for name in tasks.split(","):
        with contextlib.suppress(DtbenchError):
            task = registry.get_task(name.strip())
            if task.size:
                yield task.name, task.size


def translate(arguments: Sequence[str], typed: str, known: Sequence[str]) -> Translation | None:
    """Return the command line with this unknown option in dtbench's words; None where it is no habit known here."""
    found = _find(arguments, typed)
    if found is None:
        return None
    key = typed.replace("_", "-")
    names = [key, FORMER.get(key, ""), *RENAMED.get(key, ())]
    own = next((name for name in names if name in known), None)
    if own is not None:
        words = [f"{own}={found.value}"] if found.inline else [own]
        note = "" if own == FORMER.get(key) else f"{typed} is {own} in dtbench"
        return Translation(found.replaced(arguments, words, with_value=False), note)
    if key in NEEDLESS:
        takes = key not in SWITCHES and not (found.value or "-").startswith("-")
        return Translation(found.replaced(arguments, [], with_value=takes), f"{typed} is not needed: {NEEDLESS[key]}")
    if key in HINTS:
        raise UserError(f"{typed}: dtbench has no such option; {HINTS[key]}.")
    if "-M" in known and found.value is not None:
        if key in SETTINGS:
            words = ["-M", f"{SETTINGS[key]}={found.value}"]
            return Translation(found.replaced(arguments, words), f"{typed} is {' '.join(words)} in dtbench")
        if key in PAIRS:
            return _with_pairs(arguments, found)
    return None


def translate_extra(arguments: Sequence[str], extra: Sequence[str], known: Sequence[str]) -> Translation | None:
    """Return the command line with these arguments, which the command does not take, as values of its options."""
    words = list(arguments)
    if "--baseline" in known and "--baseline" not in words and len(extra) == 2:
        rest = [word for word in words if word not in extra]
        return Translation([*rest, "--baseline", extra[0], "--candidate", extra[1]], "")
    flag = next((name for name in ("--tasks", "--datasets", "--task") if name in words), None)
    if flag is None or not extra or "--tasks" not in known:
        return None
    place = words.index(flag) + 1
    if words[place + 1 : place + 1 + len(extra)] != list(extra):
        return None
    names = ",".join(words[place : place + 1 + len(extra)])
    return Translation([*words[:place], names, *words[place + 1 + len(extra) :]], f"write --tasks {names}, with commas")


def _find(arguments: Sequence[str], typed: str) -> _Found | None:
    for place, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name == typed:
            following = arguments[place + 1] if place + 1 < len(arguments) else None
            return _Found(place, typed, value if equals else following, bool(equals))
    return None


def _with_pairs(arguments: Sequence[str], found: _Found) -> Translation:
    pairs = dict(_split_pairs(found))
    changed = found.replaced(arguments, [])
    place = changed.index("--model") + 1 if "--model" in changed[:-1] else None
    said: list[str] = []
    checkpoint, url = pairs.pop("pretrained", None), pairs.pop("base_url", None)
    source = url.removesuffix(_CHAT) if url is not None else checkpoint
    if source is not None:
        engine = ENGINES.get(changed[place]) if place is not None else None
        if place is None:
            changed += ["--model", source]
        else:
            changed[place] = source
        said += ["--model", source]
        if engine is not None and url is None and "--backend" not in changed:
            changed += ["--backend", engine]
            said += ["--backend", engine]
    for name, value in pairs.items():
        changed += ["-M", f"{name}={value}"]
        said += ["-M", f"{name}={value}"]
    return Translation(changed, f"{found.typed} is {' '.join(said)} in dtbench")


def _split_pairs(found: _Found) -> Iterator[tuple[str, str]]:
    """Yield the settings of `a=b,c=d`, or of a JSON object; a comma within brackets or quotes separates nothing."""
    text = (found.value or "").strip()
    if text.startswith("{"):
        try:
            table: dict[str, Any] = json.loads(text)
        except ValueError:
            raise UserError(f"{found.typed} {text}: not a JSON object; give each setting as -M key=value.") from None
        yield from ((_KEYS.get(key, key), _written(value)) for key, value in table.items())
        return
    for part in _parts(text):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise UserError(f"{found.typed} {text}: {part!r} is not key=value; give each setting as -M key=value.")
        yield from _own_pair(key.strip(), value.strip())


def _own_pair(key: str, value: str) -> Iterator[tuple[str, str]]:
    if key == "do_sample":
        if value.lower() in {"false", "0"}:
            yield "temperature", "0"
            return
        raise UserError(f"do_sample={value}: there is no such setting; -M temperature=T above 0 samples.")
    yield _KEYS.get(key, key), value


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _parts(text: str) -> Iterator[str]:
    depth, quote, start = 0, "", 0
    for place, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "{[(":
            depth += 1
        elif sign in "}])":
            depth -= 1
        elif sign == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]
