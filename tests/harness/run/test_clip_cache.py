"""A clip that several questions share is decoded once while it is in use, and what is kept is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from sounds import encoded, sine

from dtbench.harness.audio.prepare import PreparedAudio
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Clip, Prompt, Response, Sample
from dtbench.harness.core.task import Task
from dtbench.harness.run.clip_cache import ClipCache, clip_key
from dtbench.harness.run.dispatch import Dispatcher, DispatchSettings
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.models.plain.baselines import First

WAV = encoded(sine(440, 0.5, 16000), 16000).data


class CountedClip:
    """A clip that counts how often it is read."""

    def __init__(self, label: str, data: bytes = WAV) -> None:
        self.label = label
        self.data = data
        self.reads = 0

    def read(self) -> bytes:
        self.reads += 1
        return self.data


class Listener(First):
    listens = True

    async def generate(self, prompt: Prompt) -> Response:
        return Response("(A)")


def prompt(clip: Path | Clip, seed: int = 0) -> Prompt:
    return Prompt("?", clip, seed=seed)


def prepared(dispatcher: Dispatcher, *prompts: Prompt) -> list[PreparedAudio]:
    async def ask() -> list[PreparedAudio]:
        heard = await asyncio.gather(*(dispatcher.prepare(one) for one in prompts))
        dispatcher.close()
        return [clip for one in heard for clip in one.clips]

    return asyncio.run(ask())


def test_a_clip_that_is_wanted_several_times_is_read_once() -> None:
    clip, other = CountedClip("one"), CountedClip("one")
    dispatcher = Dispatcher(Listener(), DispatchSettings())
    audios = prepared(dispatcher, *[prompt(clip)] * 5, prompt(other), prompt(clip))
    assert (clip.reads, other.reads) == (1, 1), "another object may be another clip, whatever its label"
    assert {audio.wav for audio in audios} == {audios[0].wav}


def test_noise_of_a_shared_clip_is_that_of_each_question() -> None:
    clip = CountedClip("one")
    dispatcher = Dispatcher(Listener(), DispatchSettings(), "noise")
    audios = prepared(dispatcher, prompt(clip, 1), prompt(clip, 2), prompt(clip, 1))
    assert clip.reads == 1
    assert audios[0].wav == audios[2].wav != audios[1].wav


def test_a_fault_reaches_everyone_who_waits_and_is_not_kept() -> None:
    clip = CountedClip("torn", b"RIFF")

    async def ask() -> None:
        dispatcher = Dispatcher(Listener(), DispatchSettings())
        told = await asyncio.gather(*(dispatcher.prepare(prompt(clip)) for _ in range(3)), return_exceptions=True)
        assert {type(one) for one in told} == {DataError}
        clip.data = WAV
        assert len((await dispatcher.prepare(prompt(clip))).clips) == 1
        dispatcher.close()

    asyncio.run(ask())
    assert clip.reads == 2


def test_one_who_gives_up_does_not_take_the_clip_from_the_others() -> None:
    clip, begun = CountedClip("one"), asyncio.Event()

    async def prepare() -> PreparedAudio:
        begun.set()
        await asyncio.sleep(0.01)
        return PreparedAudio(b"sound", 1.0, 16000, 1, "whole")

    async def ask() -> bytes:
        cache = ClipCache()
        first, second = (asyncio.ensure_future(cache.get(clip, prepare)) for _ in range(2))
        await begun.wait()
        first.cancel()
        return (await second).wav

    assert asyncio.run(ask()) == b"sound"


def test_what_is_kept_is_bounded_and_the_last_used_stays() -> None:
    def of(size: int) -> PreparedAudio:
        return PreparedAudio(bytes(size), 1.0, 16000, 1, "whole")

    async def ask() -> list[int]:
        cache, made = ClipCache(most_bytes=1000), list[int]()

        async def get(number: int, size: int = 300) -> None:
            async def prepare() -> PreparedAudio:
                made.append(number)
                return of(size)

            await cache.get(Path(str(number)), prepare)
            assert cache.bytes <= 1000

        for number in (1, 2, 3, 1, 4, 1, 2):
            await get(number)
        await get(9, 5000)
        await get(1)
        return made

    assert asyncio.run(ask()) == [1, 2, 3, 4, 2, 9]


def test_what_cannot_be_compared_is_the_same_only_as_itself() -> None:
    class Listed(CountedClip):
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return True

    one, other = Listed("one"), Listed("one")
    assert clip_key(one) == clip_key(one)
    assert clip_key(one) != clip_key(other)
    assert clip_key(Path("a")) == clip_key(Path("a"))


class Birds(Task):
    name = "birds"

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        return []


@pytest.mark.parametrize(
    ("clips", "order"), [("abcabd", [0, 3, 1, 4, 2, 5]), ("abcdef", [0, 1, 2, 3, 4, 5]), ("aabbba", [0, 1, 5, 2, 3, 4])]
)
def test_questions_about_one_clip_are_asked_one_after_the_other(clips: str, order: list[int]) -> None:
    samples = [Sample(str(n), "Which bird?", ("crow", "jay"), "crow", Path(clip)) for n, clip in enumerate(clips)]
    plan = TaskPlan(Birds(), Dataset(samples, "own", "here"), 2, PromptForm())
    assert list(plan.questions(set())) == [(place, repeat) for place in order for repeat in range(2)]
    assert list(plan.questions({("0", 0), ("0", 1), ("3", 1)})) == [
        (place, repeat) for place in order for repeat in range(2) if (place, repeat) not in {(0, 0), (0, 1), (3, 1)}
    ]
