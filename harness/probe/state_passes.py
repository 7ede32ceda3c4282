"""The passes over two models: what each is asked, what is kept of it, and what has been done already."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Notify
from dtbench.harness.probe.expert_order import order_of
from dtbench.harness.probe.forced import AskedQuestion, ForcedText, ProbedModel
from dtbench.harness.probe.state_measures import largest_dimensions
from dtbench.harness.probe.state_records import RecordedBase, RecordedText, compare_text, record_text
from dtbench.harness.probe.swaps import (
    ExpertOrders,
    Swap,
    SwapStores,
    TextLogprobs,
    WeightStore,
    plan_swaps,
    swapped,
    text_logprobs,
)
from dtbench.harness.store.append import AppendedFiles
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.states_probe_types import ProbedAnswer, SwapMeasure

B, CONTROL = "b", "c"
NAMES = {"a": "A", B: "B", CONTROL: "the control"}
"""By what files are named -> what a user reads."""
NULL_QUESTIONS = 16
"""With how many questions the null of numerics is computed."""
CKA_TOKENS = 256
"""About how many tokens of a segment CKA is computed of."""
ORDER, HALF = "order", "bfloat16"
NULLS = {
    ORDER: "A against A with each text twice in a batch and attention computed in its plain form (eager)",
    HALF: "A against A in bfloat16",
}


@dataclass(frozen=True, slots=True)
class StatesFolder:
    """The files of a probe."""

    out: Path
    work: Path
    """What is removed at the end."""

    def is_done(self, name: str) -> bool:
        """Whether a pass was done."""
        return (self.work / f"{name}.done").is_file()

    def mark_done(self, name: str) -> None:
        """Say that a pass was done."""
        (self.work / f"{name}.done").touch()

    def folder(self, name: str) -> Path:
        """Return a folder of it, which is there then."""
        path = self.work / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def lines(self, name: str) -> list[Any]:
        """Return the lines of a file but a torn one at its end, which the next append cuts off."""
        path = self.out / name
        return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.is_file() else []

    def answers(self, by: str) -> list[ProbedAnswer]:
        """Return what a model wrote."""
        return cast("list[ProbedAnswer]", self.lines(f"states-answers-{by}.jsonl"))

    def measures(self) -> list[SwapMeasure]:
        """Return what was measured of models with and without swapped weights."""
        return cast("list[SwapMeasure]", self.lines("states-swaps.jsonl"))

    def facts(self, name: str) -> Any:
        """Return what is known of a model by a JSON file of its own."""
        return json.loads((self.work / f"{name}.json").read_bytes())

    def keep_facts(self, name: str, facts: object) -> None:
        """Write such a file."""
        replace_whole(self.work / f"{name}.json", json.dumps(facts).encode())


class StatePasses:
    """What is done with each model; each step goes on where it was interrupted."""

    def __init__(
        self, folder: StatesFolder, parts: Sequence[str], notify: Notify, *, others: Sequence[str], answers: bool
    ) -> None:
        self.folder = folder
        self._parts = parts
        self._notify = notify
        self._answers = answers
        self._files = AppendedFiles()
        folder.work.mkdir(exist_ok=True)
        self._others = others
        """B, and its control where there is one."""

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def answer_first(self, by: str, probe: ProbedModel, questions: Sequence[AskedQuestion]) -> None:
        """Have B or its control answer, and keep its weights where parts of them will be swapped."""
        if by == B:
            self.folder.keep_facts("shape", _shape(probe))
        else:
            self._refuse_other_shape(probe)
        self._answer(by, probe, questions)
        self._refuse_other_prompts(by)
        self._keep_weights(by, probe)

    def look_into_a(self, probe: ProbedModel, questions: Sequence[AskedQuestion]) -> None:
        """Have A answer, keep its states at all texts, swap parts, and compare it with itself in other numerics."""
        import numpy

        self._refuse_other_shape(probe)
        self._answer("a", probe, questions)
        self._refuse_other_prompts("a")
        self._keep_weights("a", probe)
        for by in self._others:
            self._find_moved(by, probe)
        folder, texts = self.folder.folder("a"), list(self._texts(probe, questions))
        totals_file = folder / "totals.npy"
        totals = numpy.load(totals_file) if totals_file.is_file() else None
        if totals is None:  # sums over all texts: they are written anew where not all are there
            totals = numpy.zeros((len(probe.layers) + 1, int(probe.head.weight.shape[1])))
            for name, text in texts:
                record_text(probe, text, RecordedText.of(folder, name), totals)
            draft = folder / "totals.part.npy"
            numpy.save(draft, totals)
            draft.rename(totals_file)
        self._notify(f"states of A at {len(texts)} texts are kept")
        self._measure("a", probe, questions, right=self._right("a"))
        for by in self._others:
            self._swap(by, probe, questions)
        self._compare_numerics(probe, texts)

    def compare(self, by: str, probe: ProbedModel, questions: Sequence[AskedQuestion]) -> None:
        """Compare B or its control with what was kept of A, and measure it as it is."""
        moved = self._moved(by)
        inverse = {layer: [order.index(place) for place in range(len(order))] for layer, order in moved.items()}
        out = self.folder.folder(f"drift-{by}")
        for name, text in self._texts(probe, questions):
            path = out / f"{name}.npz"
            if not path.is_file():
                base = self._baseline(probe, name, norm=self._norm_of_a(probe))._replace(moved=inverse)
                compare_text(probe, text, base).save(path)
        self._notify(f"{NAMES[by]} is compared with A")
        self._measure(by, probe, questions, right=self._right(by))

    def _answer(self, by: str, probe: ProbedModel, questions: Sequence[AskedQuestion]) -> None:
        known = {one["key"] for one in self.folder.answers(by)}
        for question, answer in probe.answer(questions, known):
            prompt = probe.weights.read(question.prompt)["input_ids"][0].tolist()
            line: ProbedAnswer = {
                "key": question.key,
                "text": answer.text,
                "tokens": list(answer.tokens),
                "right": probe.is_right(question, answer.text),
                "prompt": prompt_hash(prompt),
            }
            self._append(f"states-answers-{by}.jsonl", line)
        self._notify(f"{NAMES[by]} has answered {len(questions)} questions")

    def _append(self, name: str, line: object) -> None:
        self._files.append(self.folder.out / name, json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def _keep_weights(self, by: str, probe: ProbedModel) -> None:
        """Keep the weights, which swaps read, and the small ones that a comparison needs."""
        import numpy
        import torch
        from safetensors.torch import save_file

        routers = {str(layer): module.weight.detach().float().cpu().numpy() for layer, module in probe.routers.items()}
        with (self.folder.work / f"routers-{by}.npz").open("wb") as file:
            numpy.savez(file, **routers)
        norm = {name: one.detach().cpu().clone() for name, one in probe.norm.state_dict().items()}
        save_file(norm or {"none": torch.zeros(1)}, self.folder.work / f"norm-{by}.safetensors")
        self.folder.keep_facts(f"about-{by}", dict(probe.about))
        store = self._store(by)
        if self._parts and not store.is_there:
            store.write(probe)

    def _store(self, by: str) -> WeightStore:
        return WeightStore(self.folder.work / f"weights-{by}")

    def _refuse_other_shape(self, probe: ProbedModel) -> None:
        other, own = self.folder.facts("shape"), _shape(probe)
        if other != own:
            raise UserError(
                f"{probe.spec}: {_words(own)}, the other {_words(other)}: states are compared between checkpoints of "
                "one architecture and size."
            )

    def _refuse_other_prompts(self, by: str) -> None:
        prompts = {one["key"]: one["prompt"] for one in self.folder.answers(B)}
        for one in self.folder.answers(by):
            if prompts[one["key"]] != one["prompt"]:
                raise UserError(
                    f"{one['key']}: the two checkpoints make different tokens of this question, so no position of one "
                    "stands for that of the other: give both the same tokenizer and chat template (-M chat_template=)."
                )

    def _find_moved(self, by: str, probe: ProbedModel) -> None:
        """Find layers whose experts changed places."""
        import numpy

        ours, theirs = (numpy.load(self.folder.work / f"routers-{name}.npz") for name in ("a", by))
        orders = {layer: order_of(ours[str(layer)], theirs[str(layer)]) for layer in probe.routers}
        self.folder.keep_facts(f"moved-{by}", {layer: order for layer, order in orders.items() if order is not None})

    def _moved(self, by: str) -> Mapping[int, list[int]]:
        return {int(layer): order for layer, order in self.folder.facts(f"moved-{by}").items()}

    def _texts(self, probe: ProbedModel, questions: Sequence[AskedQuestion]) -> Iterator[tuple[str, ForcedText]]:
        """Yield the texts that are forced, B's first, by the names of their files; one without tokens is left out."""
        for by in "ba":
            answers = {one["key"]: one["tokens"] for one in self.folder.answers(by)}
            for number, question in enumerate(questions):
                if answers[question.key]:
                    yield f"{by}-{number:06}", probe.force(question, answers[question.key])

    def _baseline(self, probe: ProbedModel, name: str, norm: Any) -> RecordedBase:
        import numpy

        folder = self.folder.folder("a")
        largest = [largest_dimensions(row) for row in numpy.load(folder / "totals.npy")]
        samples = max(1, CKA_TOKENS // max(1, len(self.folder.answers("b"))))
        return RecordedBase(RecordedText.of(folder, name), norm, largest, samples)

    def _norm_of_a(self, probe: ProbedModel) -> Any:
        """Return A's last norm, made of B's."""
        from safetensors.torch import load_file

        norm = copy.deepcopy(probe.norm)
        own = {name: one for name, one in load_file(self.folder.work / "norm-a.safetensors").items() if name != "none"}
        norm.load_state_dict(own)
        return norm

    def _swap(self, by: str, probe: ProbedModel, questions: Sequence[AskedQuestion]) -> None:
        """Measure A with each part of B or of its control."""
        if not self._parts:
            self.folder.keep_facts("swaps", [])
            return
        swaps = plan_swaps(probe, self._parts)
        weights = {name: one.numel() for name, one in probe.model.named_parameters()}
        planned = [(one.part, one.first, one.last, sum(weights[name] for name in one.names)) for one in swaps]
        self.folder.keep_facts("swaps", planned)
        stores = SwapStores(self._store("a"), self._store(by), ExpertOrders.of(probe, self._moved(by)))
        for number, swap in enumerate(swaps, 1):
            key = measure_key(by, swap.key)
            if self._known(key) < {question.key for question in questions}:
                with swapped(probe, swap, stores):
                    self._measure(key, probe, questions, right=None)
                self._notify(f"swap {number} of {len(swaps)}: {_swap_words(swap)}, from {NAMES[by]}")

    def _known(self, swap: str) -> set[str]:
        """Return the questions with which something was measured already."""
        return {one["key"] for one in self.folder.measures() if one["swap"] == swap}

    def _right(self, by: str) -> Mapping[str, bool]:
        return {one["key"]: one["right"] for one in self.folder.answers(by)}

    def _measure(
        self, swap: str, probe: ProbedModel, questions: Sequence[AskedQuestion], *, right: Mapping[str, bool] | None
    ) -> None:
        """Measure how likely B's texts are, and whether its own answers are right, where that is not known."""
        tokens = {one["key"]: one["tokens"] for one in self.folder.answers("b")}
        known = self._known(swap)
        own = probe.answer(questions, known) if right is None and self._answers else None
        for question in (one for one in questions if one.key not in known):
            verdict = None if right is None else right[question.key]
            if own is not None:
                asked, answer = next(own)
                verdict = probe.is_right(asked, answer.text)
            likely = TextLogprobs(None, None)
            if tokens[question.key]:
                text = probe.force(question, tokens[question.key])
                likely = text_logprobs(probe.forward(text), text)
            line: SwapMeasure = {
                "swap": swap,
                "key": question.key,
                "text": likely.text,
                "answer": likely.answer,
                "right": verdict,
            }
            self._append("states-swaps.jsonl", line)

    def _compare_numerics(self, probe: ProbedModel, texts: Sequence[tuple[str, ForcedText]]) -> None:
        """Compare A with itself: in another order of computing, and in bfloat16 where it has more digits."""
        import torch

        of_b = [(name, text) for name, text in texts if name.startswith("b")][:NULL_QUESTIONS]
        attention = getattr(probe.model.config, "_attn_implementation", None)
        probe.model.set_attn_implementation("eager")
        self._null(ORDER, probe, of_b, twice=True)
        if attention is not None:
            probe.model.set_attn_implementation(attention)
        if probe.model.dtype == torch.float32:
            norm = copy.deepcopy(probe.norm)
            probe.model.to(torch.bfloat16)
            self._null(HALF, probe, of_b, norm=norm)

    def _null(
        self,
        name: str,
        probe: ProbedModel,
        texts: Sequence[tuple[str, ForcedText]],
        *,
        twice: bool = False,
        norm: Any = None,
    ) -> None:
        import torch

        out = self.folder.folder(f"null-{name}")
        for number, text in texts:
            path = out / f"{number}.npz"
            if not path.is_file():
                inputs = {key: torch.cat([one, one]) for key, one in text.inputs.items()} if twice else None
                base = self._baseline(probe, number, norm=norm or probe.norm)
                compare_text(probe, text, base, inputs).save(path)


def _shape(probe: ProbedModel) -> dict[str, Any]:
    routers = list(probe.routers.values())
    return {
        "class": type(probe.model).__name__,
        "layers": len(probe.layers),
        "width": int(probe.head.weight.shape[1]),
        "words": int(probe.head.weight.shape[0]),
        "experts": len(routers[0].weight) if routers else 0,
        "routers": list(probe.routers),
        "top_k": probe.top_k,
    }


def measure_key(by: str, swap: str) -> str:
    """Return how the measures of a swap are named: those of B's parts by the swap alone."""
    return swap if by == B else f"{by}: {swap}"


def _words(shape: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {shape[name]}" for name in ("class", "layers", "width", "words", "experts"))


def _swap_words(swap: Swap) -> str:
    where = f"layer {swap.first}" if swap.first == swap.last else f"layers {swap.first} to {swap.last}"
    return f"{swap.part} of {where}"


def prompt_hash(tokens: Sequence[int]) -> str:
    """Return twelve digits that differ where the tokens of a prompt do."""
    return hashlib.sha256(" ".join(map(str, tokens)).encode()).hexdigest()[:12]
