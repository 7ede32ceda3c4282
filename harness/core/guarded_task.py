"""Hold someone else's task to its contract: what it raises or returns beyond it is one TaskError, with its place.

A task of a user's file or of another package is called in many places, by every command. Its methods are wrapped once,
where it is loaded, so that none of these places has to expect anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar, cast

from dtbench.harness.core.errors import DtbenchError, TaskError, format_error, short_repr
from dtbench.harness.core.schema import Official, Prompt, Sample, Score
from dtbench.harness.core.task import Task, hint_of
from dtbench.harness.extract.answer import Extraction

Result = TypeVar("Result")
Samples = Callable[[Path | None], Iterable[Sample]]
_AT_ONCE = 64


def guard(task: Task) -> Task:
    """Wrap the methods of a task, which stays of its own class."""
    methods: dict[str, tuple[Callable[[Any], Any], str]] = {
        "prompt": (_prompt, "a Prompt(text, audio)"),
        "read": (lambda read: _expect(read, Extraction), "an Extraction"),
        "score": (_score, "a Score(Official(correct, counted), correct)"),
        "submission": (lambda text: _expect(text, str), "a text"),
        "official": (lambda rule: _rule(task, rule), "a function of (item, prediction)"),
        "figures": (_figures, "a dict of figures that JSON can hold"),
        "examples": (_examples, "a list of Samples"),
        "example_answer": (lambda text: _expect(text, str), "a text"),
    }
    wrapped = {
        name: _wrapped(task, name, getattr(task, name), check, expected)
        for name, (check, expected) in methods.items()
        if getattr(type(task), name) is not getattr(Task, name)
    }
    vars(task).update(wrapped, samples=_samples(task, task.samples))
    return task


@contextlib.contextmanager
def foreign_code(task: str, what: str, hint: str = "") -> Iterator[None]:
    """Run code of a task's author: an error or an exit in it is a TaskError, what it prints goes to stderr."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except DtbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise TaskError(f"{task}: {what} failed with {format_error(error)}.{hint}") from error


class _Unfit(Exception):
    """A value that the contract does not allow."""


def _wrapped(
    task: Task, name: str, method: Callable[..., Any], check: Callable[[Any], Any], expected: str
) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*arguments: Any, **named: Any) -> Any:
        with foreign_code(task.name, f"{name}(){_of(arguments)}"):
            value = method(*arguments, **named)
        try:
            return check(value)
        except _Unfit as unfit:
            raise TaskError(
                f"{task.name}: {name}(){_of(arguments)} returned {unfit}; {expected} is expected."
            ) from None

    return call


def _of(arguments: tuple[Any, ...]) -> str:
    first = arguments[0] if arguments else None
    return f" of the question {first.id!r}" if isinstance(first, Sample) else ""


def _samples(task: Task, method: Samples) -> Samples:
    """Wrap samples(): each is looked at as it comes."""

    @functools.wraps(method)
    def call(data_dir: Path | None) -> Iterator[Sample]:
        here = functools.partial(foreign_code, task.name, "reading its questions", hint_of(data_dir))
        with here():
            given = iter(method(data_dir))
        for number, sample in enumerate(_in_parts(given, here), 1):
            if fault := _sample_fault(sample):
                raise TaskError(f"{task.name}: question {number} of samples(): {fault}.")
            yield cast("Sample", sample)

    return call


def _in_parts(given: Iterator[object], here: Callable[[], AbstractContextManager[None]]) -> Iterator[object]:
    """Yield what an author's code yields, of which some at a time are taken within this context: it costs as much."""
    failed: DtbenchError | None = None
    part: list[object] = [None]
    while part and failed is None:
        part = []
        try:
            with here():
                part.extend(itertools.islice(given, _AT_ONCE))  # which keeps those before one that fails
        except DtbenchError as error:
            failed = error
        yield from part
    if failed is not None:
        raise failed


def _sample_fault(sample: object) -> str:
    """Say what is wrong with a question, and what is expected; empty where nothing is."""
    if not isinstance(sample, Sample):
        return f"it is {short_repr(sample)}, and a Sample is expected"
    if not isinstance(sample.id, str):
        return f"the id {sample.id!r} is not text; give every sample one: str(id)"
    where = f"{sample.id!r} has "
    if not isinstance(sample.question, str) or not _is_unicode(sample.question):
        return f"{where}the question {short_repr(sample.question)}, and a text is expected"
    for clip in sample.clips:
        if not isinstance(clip, Path) and not (hasattr(clip, "label") and hasattr(clip, "read")):
            return f"{where}the audio {short_repr(clip)}, and a pathlib.Path, a clip or NoClip(id) is expected"
    for name, given in (("groups", sample.groups), ("item", sample.item)):
        if not isinstance(given, (dict, Mapping)):  # of which the first is much faster
            return f"{where}{name} {short_repr(given)}, and a dict is expected"
    odd = next(((key, value) for key, value in sample.groups.items() if not _are_texts(key, value)), None)
    return (
        "" if odd is None else f"{where}the group {odd[0]!r}: {short_repr(odd[1])}, and a text is expected: str(value)"
    )


def _are_texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _examples(value: object) -> Sequence[Sample]:
    if not isinstance(value, Iterable):
        raise _Unfit(short_repr(value))
    given = tuple(value)
    if fault := next((fault for one in given if (fault := _sample_fault(one))), ""):
        raise _Unfit(f"an example of which {fault}")
    return given


def _expect(value: object, kind: type[Result]) -> Result:
    if not isinstance(value, kind):
        raise _Unfit(short_repr(value))
    return value


def _prompt(value: object) -> Prompt:
    prompt = _expect(value, Prompt)
    for name, text in (("text", prompt.text), ("system", prompt.system or "")):
        if not isinstance(text, str):
            raise _Unfit(f"a Prompt whose {name} is {short_repr(text)}")
    return prompt


def _score(value: object) -> Score:
    score = _expect(value, Score)
    correct = None if score.correct is None else _truth(score.correct, "correct")
    return dataclasses.replace(score, official=_official(score.official), correct=correct)


def _official(value: object) -> Official:
    official = _expect(value, Official)
    why = _expect("" if official.why is None else official.why, str)
    mark = None if official.mark is None else _partial(official.mark)
    return Official(
        _truth(official.correct, "official.correct"), _truth(official.counted, "official.counted"), why, mark
    )


def _partial(value: Any) -> float:
    """Return a mark from 0 to 1 as a number of Python's."""
    with contextlib.suppress(TypeError, ValueError):
        if not isinstance(value, str | bytes) and 0 <= float(value) <= 1:
            return float(value)
    raise _Unfit(f"official.mark {short_repr(value)}")


def _truth(value: Any, name: str) -> bool:
    """Return a truth value of Python for one of numpy, or for 0 and 1."""
    try:
        if value in (0, 1):
            return bool(value)
    except ValueError:  # an array
        pass
    raise _Unfit(f"{name} {short_repr(value)}")


def _rule(task: Task, rule: Any) -> Callable[..., Official]:
    """Wrap the rule that official() returns."""
    if not callable(rule):
        raise _Unfit(short_repr(rule))
    return _wrapped(task, "official", rule, _official, "an Official(correct, counted)")


def _figures(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _Unfit(short_repr(value))
    figures = dict(value)
    try:
        json.dumps(figures, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _Unfit(f"{short_repr(figures)} ({error})") from None
    if odd := [key for key in figures if not isinstance(key, str)]:
        raise _Unfit(f"a figure named {odd[0]!r}")
    return figures
