"""What is asked: prompts, seeds, clips and options of a plan."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import TaskError, UserError
from dtbench.harness.core.schema import Prompt, Sample
from dtbench.harness.core.task import Task, rotate_options
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.harness.run.prompt_template import fill_template
from dtbench.harness.run.selection import select_samples

OPTIONS = ("crow", "jay", "owl")


class Birds(Task):
    name = "birds"

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        return samples()


def samples(count: int = 5, clips: int = 5) -> list[Sample]:
    return [Sample(str(n), f"Which bird is {n}?", OPTIONS, "jay", Path(f"{n % clips}.wav")) for n in range(count)]


def plan(
    form: PromptForm, *, repeats: int = 1, task: Task | None = None, asked: list[Sample] | None = None
) -> TaskPlan:
    asked = samples() if asked is None else asked
    return TaskPlan(task or Birds(), Dataset(asked, "own", "here"), repeats, form)


def test_what_is_finished_is_not_asked_and_repeats_come_together() -> None:
    left = list(plan(PromptForm(), repeats=2, asked=samples(3)).questions({("0", 0), ("1", 0), ("1", 1)}))
    assert left == [(0, 1), (2, 0), (2, 1)]


def test_every_answer_has_a_seed_of_its_own_that_stays_the_same() -> None:
    seeds = [[plan(PromptForm(seed=seed)).prompt(n, r).seed for n in range(5) for r in range(4)] for seed in (1, 1, 2)]
    assert seeds[0] == seeds[1]
    assert len({*seeds[0], *seeds[2]}) == 40
    assert all(seed is not None and 0 <= seed < 2**32 for seed in seeds[0])


def test_a_seed_does_not_depend_on_which_questions_are_asked_beside() -> None:
    assert plan(PromptForm()).prompt(4, 0).seed == plan(PromptForm(), asked=samples()[4:]).prompt(0, 0).seed


@pytest.mark.parametrize(
    ("places", "shown"), [(0, "crow jay owl"), (1, "jay owl crow"), (2, "owl crow jay"), (3, "crow jay owl")]
)
def test_options_are_rotated(places: int, shown: str) -> None:
    prompt = plan(PromptForm(permute=places)).prompt(0, 0)
    assert prompt.choices == tuple(shown.split())
    assert [prompt.text.index(option) for option in prompt.choices] == sorted(map(prompt.text.index, OPTIONS))


def test_a_question_without_options_has_nothing_to_rotate() -> None:
    sample = Sample("1", "What?", (), "a jay", Path("1.wav"))
    assert rotate_options(sample, 1) is sample


def test_what_a_question_or_an_option_says_is_not_taken_for_a_place_of_the_prompt() -> None:
    sample = Sample("1", "What is {options}?", ("{question}", "b"), "b", Path("1.wav"))
    assert fill_template("{question}\n{options}", sample).text == "What is {options}?\n(A) {question}\n(B) b"


@pytest.mark.parametrize("clips", [2, 5])
@pytest.mark.parametrize("seed", range(5))
def test_a_shuffled_clip_is_never_the_question_s_own(clips: int, seed: int) -> None:
    asked = samples(clips=clips)
    shuffled = plan(PromptForm(audio="shuffle", seed=seed), asked=asked)
    shuffled.check()
    assert all(shuffled.prompt(place, 0).audio != sample.audio for place, sample in enumerate(asked))


def test_whose_clip_is_heard_does_not_depend_on_which_questions_are_asked_beside() -> None:
    every = Dataset(samples(9, 4), "own", "here")
    form = PromptForm(audio="shuffle", seed=3)
    whole = TaskPlan(Birds(), every, 1, form)
    for places in ([0], [8, 2], range(5)):
        part = TaskPlan(Birds(), every.select(places), 1, form)
        part.check()
        heard = {part.prompt(place, 0).id: part.prompt(place, 0).audio for place in range(len(part.data.samples))}
        assert heard == {str(place): whole.prompt(place, 0).audio for place in places}


def test_the_words_of_a_run_do_not_depend_on_which_questions_are_asked() -> None:
    class Picky(Birds):
        def prompt(self, sample: Sample) -> Prompt:
            if sample.id == "id":
                raise UserError("no blank question")
            return super().prompt(sample)

    every = Dataset(samples(), "own", "here")
    texts = {TaskPlan(Picky(), every.select(places), 1, PromptForm()).prompt_text() for places in ([0], [3], range(5))}
    assert len(texts) == 1


def test_one_clip_cannot_be_shuffled() -> None:
    with pytest.raises(UserError, match="--audio shuffle: all questions of birds share one clip"):
        plan(PromptForm(audio="shuffle"), asked=samples(clips=1)).check()


def test_the_prompt_hash_follows_the_words_and_nothing_else() -> None:
    one = plan(PromptForm()).prompt_hash()
    assert one == plan(PromptForm(seed=3, permute=1), asked=samples(2)).prompt_hash()
    assert one != plan(PromptForm("{question} {options}")).prompt_hash()
    assert len(one) == 12


class NeedsMore(Birds):
    """A task whose prompt uses what only its own questions have."""

    def prompt(self, sample: Sample) -> Prompt:
        return Prompt(f"{sample.item['hint']}: {sample.question}", sample.audio)


def test_a_prompt_that_needs_more_than_a_question_is_told_by_the_first_one() -> None:
    asked = [Sample("1", "Who?", OPTIONS, "jay", Path("1.wav"), item={"hint": "Black"})]
    assert plan(PromptForm(), task=NeedsMore(), asked=asked).prompt_text() == "Black: Who?"


def test_a_prompt_that_fails_is_an_error_of_the_task_with_the_question() -> None:
    with pytest.raises(TaskError, match=r"birds: prompt\(\) of the question '0' failed with KeyError: 'hint'"):
        plan(PromptForm(), task=NeedsMore()).prompt(0, 0)


def test_a_limit_counts_the_questions_that_were_named() -> None:
    data = Dataset(samples(), "own", "here")
    assert select_samples(data, 2, ["4", "1", "3"]).ids == ["1", "3"]


def test_the_clips_of_another_question_are_as_many_and_none_of_its_own() -> None:
    def asked(*clips: str) -> list[Sample]:
        groups = [tuple(Path(f"{clip}.wav") for clip in one) for one in clips]
        return [Sample(str(n), "Which?", OPTIONS, "jay", clips=own) for n, own in enumerate(groups)]

    def shuffled(*clips: str) -> list[str]:
        planned = plan(PromptForm(audio="shuffle"), asked=asked(*clips))
        prompts = [planned.prompt(place, 0) for place in range(len(clips))]
        return ["".join(Path(str(clip)).stem for clip in prompt.clips) for prompt in prompts]

    assert shuffled("ab", "cd") == ["cd", "ab"]
    assert shuffled("ab", "bc", "de")[1] == "de"
    with pytest.raises(UserError, match="no other question of birds has 2 clips, as '0' has"):
        shuffled("ab", "c")
    with pytest.raises(UserError, match="all questions of birds share one clip, there is no other one"):
        shuffled("a", "a")
