"""Stand-ins for models that continue a begun chain on `mini`: one believes what it reads, one has made up its mind."""

from __future__ import annotations

from collections.abc import Mapping

from dtbench.harness.core.schema import Sample
from dtbench.tasks.mini import Mini
from dtbench.tasks.mini_world.chain_edits import read_conclusion, read_sounds
from dtbench.tasks.mini_world.resolve import solve_described

BY_ID: Mapping[str, Sample] = {sample.id: sample for sample in Mini().samples(None)}


def reference_answer(sample: Sample, repeat: int = 0) -> str:
    """What a perfect listener says: the reference chain and the right option."""
    return f"<think> {sample.item['thinking']} </think> {sample.answer}"


def believe(id: str, begun: str) -> str:
    """Continue an answer as its own words demand: by the conclusion that stands there, else by the description."""
    sample = BY_ID[id]
    if not begun:
        return reference_answer(sample)
    chain, closing, _ = begun.removeprefix("<think>").partition("</think>")
    answer = read_conclusion(chain)
    if not closing:
        description, _, step = " ".join(chain.split()).partition(" .")
        sounds = read_sounds(f"{description} .")
        solution = None if sounds is None else solve_described(sample.item, sounds)
        concluded = "" if solution is None else solution.answer
        answer = next((word for word in reversed(step.split()) if word in sample.choices), concluded)
        return f"{begun} . so the answer is {answer} </think> {answer}"
    return f"{begun} {answer or sample.choices[-1]}"


def insist(id: str, begun: str) -> str:
    """End with the right answer whatever stands there."""
    answer = BY_ID[id].answer
    return f"{begun} {answer}" if "</think>" in begun else f"{begun} </think> {answer}"
