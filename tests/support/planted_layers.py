"""Change layers of the model in the box so that it is known what the lens must find, and read them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from command import call

from dtbench.harness.probe.forced import AskedQuestion, ProbedModel, open_probed
from dtbench.harness.probe.layer_reader import LayerReader, LensText
from dtbench.harness.probe.lens_summary import reduce_traces
from dtbench.harness.probe.lens_targets import LensTarget
from dtbench.harness.probe.lens_texts import (
    LensQuestion,
    donor_inputs,
    encode_text,
    force_question,
    reasoned_questions,
    reference_text,
)
from dtbench.harness.run.request import RunRequest

QUESTIONS = 6
STRENGTH = 30.0
"""Of the planted direction, as a multiple of the states that it is added to."""


@contextlib.contextmanager
def before(module: Any, hook: Callable[[Any, Any], Any]) -> Iterator[None]:
    handle = module.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def attended(model: ProbedModel, layer: int, texts: Sequence[LensText]) -> tuple[Any, Any]:
    """What the attention of a layer hands to its last matrix at the places that are read, and the states after it."""
    inputs: list[Any] = []
    states: list[Any] = []
    projection = model.layers[layer].self_attn.o_proj
    for text in texts:
        seen: list[Any] = []
        behind: dict[int, Any] = {}
        with before(projection, lambda _, args, seen=seen: seen.append(args[0])), model.each_layer(behind.__setitem__):  # type: ignore[misc]
            model.forward_inputs(text.inputs)
        inputs.append(seen[0][0, text.before])
        states.append(behind[layer][0, text.before])
    return torch.cat(inputs), torch.cat(states)


@contextlib.contextmanager
def made_to_decide(model: ProbedModel, layer: int, token: int, texts: Sequence[LensText]) -> Iterator[None]:
    """Add the head's direction of a token to what the attention of a layer adds, by a change of rank one."""
    inputs, states = attended(model, layer, texts)
    projection = model.layers[layer].self_attn.o_proj.weight
    kept = projection.detach().clone()
    # The most alike direction that all inputs share: each of them has a positive part along it.
    along = torch.linalg.lstsq(inputs.double(), torch.ones(len(inputs), 1).double()).solution[:, 0].float()
    head = model.head.weight.detach()
    direction = (head[token] - head.mean(dim=0)) * model.norm.weight.detach()
    direction = direction / direction.norm() * states.norm(dim=1).mean() * STRENGTH
    with torch.no_grad():
        projection += torch.outer(direction, along)
    try:
        yield
    finally:
        with torch.no_grad():
            projection.copy_(kept)


@contextlib.contextmanager
def deaf_from(model: ProbedModel, layer: int, clip: Sequence[int]) -> Iterator[None]:
    """Take the places of the clip away from what this layer and all after it read: their values are 0."""

    def silence(module: Any, args: Any, output: Any) -> Any:
        changed = output.clone()
        changed[0, clip] = 0.0
        return changed

    handles = []
    for each in model.layers[layer:]:
        for projection in (each.self_attn.v_proj, each.self_attn.k_proj):
            handles.append(projection.register_forward_hook(silence))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def read(reader: LayerReader, texts: Sequence[LensText]) -> Any:
    return reduce_traces([trace for text in texts for trace in reader.read(text)])


def planted(model: ProbedModel, asked: Sequence[AskedQuestion]) -> dict[str, Any]:
    reader = LayerReader(model)
    token = encode_text(model, "chirp")[0]
    written = [encode_text(model, reference_text(one, model.chain)) for one in asked]
    texts = []
    for question in reasoned_questions(model, asked, written):
        first = next(target for target in question.targets if target.kind == "first")
        texts.append(force_question(model, question._replace(targets=[LensTarget("first", first.place, token)])))
    found: dict[str, Any] = {"plain": [read(reader, texts)], "again": [read(reader, texts)], "planted": []}
    for layer in range(reader.layers):
        with made_to_decide(model, layer, token, texts):
            found["planted"].append(read(reader, texts))
    return {**found, **patched(model, reader, reasoned_questions(model, asked, written))}


def patched(model: ProbedModel, reader: LayerReader, questions: Sequence[LensQuestion]) -> dict[str, Any]:
    """The clip of one question replaced by itself and by those of others, until one matters."""
    one, *others = questions
    text = force_question(model, one)
    own = reader.patch(text, text.inputs)["content"]

    def other() -> Any:
        each = [donor_inputs(model, one, donor.asked) for donor in others]
        found = [reader.patch(text, inputs)["content"] for inputs in each if inputs is not None]
        return max(found, key=lambda patch: patch["fall"][0])

    loud = other()
    with deaf_from(model, 2, text.clip):
        return {"own clip": [own], "other clip": [loud], "deaf from layer 3": [other()]}


def found(folder: Path) -> dict[str, Any]:
    """Return all that the tests of the lens look at; the command writes into the folder."""
    request = RunRequest(model="mini", backend="local", tasks=["mini"], answer="think", limit=QUESTIONS)
    model, asked = open_probed(request, lambda line: None)
    return {**planted(model, asked), "commands": commands(folder)}


def commands(folder: Path) -> list[tuple[int, str, str]]:
    """`dtbench probe lens` itself, on the same model twice, and once more for what is on disk; code, stdout, stderr."""
    words: list[str | Path] = [
        "probe",
        "lens",
        "mini",
        "mini",
        "--limit",
        "3",
        "--patch",
        "2",
        "--text",
        "reference",
        "--out",
        folder,
    ]
    done = []
    for options in (["--json"], []):
        (folder / "lens.json").unlink(missing_ok=True)  # a start that was killed before its end
        done.append(call(*words, *options))
    return [(one.code, one.out, one.err) for one in done]
