"""One task of a run: questions in, records out, in any order, each on disk before its worker asks the next.

There are some workers more than requests allowed in flight: while those wait for the model, the others read and
resample clips. Beside the questions themselves nothing is held but what the workers are at.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from dtbench.harness.audio.prepare import PreparedAudio, hash_of_hashes
from dtbench.harness.core.errors import DataError, ModelError
from dtbench.harness.core.model import Model, chain_tags
from dtbench.harness.core.schema import Prompt
from dtbench.harness.run.dispatch import Dispatcher, DispatchSettings
from dtbench.harness.run.pace import Pace
from dtbench.harness.run.plan import TaskPlan
from dtbench.harness.run.spending import Spending, SpendingLimits
from dtbench.harness.run.worker_pool import CircuitBreaker, Progress, Stop, WorkerPool
from dtbench.harness.score.answer_record import ShownOptions, error_fields, response_fields, with_answer
from dtbench.harness.score.question_log import QuestionLog
from dtbench.harness.store.run_folder import RunFolder
from dtbench.harness.store.types import AudioRecord, Record, clip_hashes

CLIPS_TRIED = 8
"""Questions that are looked through for one whose clip can be read, to try the model with."""


class TaskRun:
    """Ask every question of a task that has no answer yet."""

    def __init__(
        self,
        plan: TaskPlan,
        model: Model,
        folder: RunFolder,
        settings: DispatchSettings,
        *,
        pace: Pace | None = None,
        spending: Spending | None = None,
    ) -> None:
        self.plan = plan
        self._finished = folder.finished(plan.task.name)
        unanswered = sum(1 for _ in plan.questions(self._finished))
        self.progress = Progress(plan.expected, plan.expected - unanswered)
        self._folder = folder
        self._breaker = CircuitBreaker(settings.max_failed * plan.expected, f"{plan.task.name}: ")
        counted = replace(settings, retries=replace(settings.retries, on_retry=self.progress.add_retry))
        self._dispatcher = Dispatcher(model, counted, plan.form.audio, pace, stereo=plan.keeps_channels)
        self._spending = spending or Spending(SpendingLimits(), None, Stop())
        self._prompt_hash = plan.prompt_hash()
        self._questions = QuestionLog(plan.task, plan.data, folder, own_clips=plan.form.audio != "shuffle")
        self._chain = chain_tags(model.describe())

    async def run(self, stop: Stop, report: Callable[[Progress], None]) -> None:
        """Ask, and append each record as it comes; a MachineryError where the model is down."""
        whole_run = self.plan.shard is None
        self._questions.add_answered(self._finished, None if whole_run else map(self._place, self.plan.places))
        pool = WorkerPool(self.progress, self._breaker, stop, report)
        try:
            left = self.plan.questions(self._finished) if self.progress.done < self.plan.expected else iter(())
            await pool.run(left, self._ask, self._dispatcher.workers)
            if self._breaker.failures and self._breaker.failures == self.progress.done == self.plan.expected:
                raise self._breaker.error(f"all {self.progress.done} questions failed")
        finally:
            self._dispatcher.close()

    async def first_prompt(self) -> Prompt | None:
        """Return the first question to be asked whose clip can be read, as the model gets it; None without one."""
        for job in itertools.islice(self._to_try(), CLIPS_TRIED):
            prompt = self.plan.prompt(*job)
            try:
                return (await self._dispatcher.prepare(prompt)).prompt
            except DataError:  # the run itself records it
                continue
        return None

    def _to_try(self) -> Iterator[tuple[int, int]]:
        """Yield the questions to be asked, first one with the most clips, which an endpoint may refuse."""
        most = self.plan.most_clips
        if most > 1:
            samples = self.plan.data.samples
            yield from itertools.islice(
                (job for job in self.plan.questions(self._finished) if len(samples[job[0]].clips) == most), 1
            )
        yield from self.plan.questions(self._finished)

    async def _ask(self, job: tuple[int, int]) -> None:
        """Append the record of one question, whatever becomes of it."""
        sample, prompt = self.plan.question(*job)
        record: Record = {
            "id": sample.id,
            "sample": prompt.repeat,
            "prompt_hash": self._prompt_hash,
            "question_hash": self.plan.data.question_hash(job[0]),
            "audio": None,
            "groups": {heading: str(value) for heading, value in sample.groups.items()},
        }
        try:
            heard = await self._dispatcher.prepare(prompt)
            record["audio"] = _audio_record(heard.clips, count_channels=self.plan.task.stereo)
            response = await self._dispatcher.answer(heard.prompt)
        except (ModelError, DataError) as error:
            record["error"] = error_fields(error)
        else:
            own = self.plan.own_choices(sample)
            shown = ShownOptions(prompt.choices, bool(prompt.letters), self.plan.min_evidence, self._chain, own)
            record = with_answer(record, response_fields(response), self.plan.task, sample, shown)
        self._questions.add(self._place(job[0]), clip_hashes(record["audio"]))
        self._folder.append(self.plan.task.name, record)
        self._count(record)

    def _place(self, place: int) -> int:
        return self.plan.data.place_in_whole(place)

    def _count(self, record: Record) -> None:
        self._spending.add(record)
        if "error" in record:
            self.progress.failed += 1
            self._breaker.add_failure(record["error"]["message"], of_model=record["error"]["kind"] == "model")
            return
        self._breaker.add_success()
        self.progress.add_tokens(record["response"]["usage"])
        if record["score"]["correct"] is None:
            waits = bool(record["score"].get("waits"))
            self.progress.waiting += waits
            self.progress.unanswered += not waits
        else:
            self.progress.correct += record["score"]["correct"]


def _audio_record(clips: Sequence[PreparedAudio], *, count_channels: bool) -> AudioRecord | None:
    """Return what a record says of the clips that were sent: of several, the first with what all have in common."""
    each = [_audio_fields(clip) for clip in clips]
    for fields, clip in zip(each, clips, strict=True):
        if count_channels:
            fields["heard_channels"] = clip.heard_channels
    if len(each) < 2:
        return each[0] if each else None
    hash_ = hash_of_hashes([clip.hash for clip in clips])
    return {**each[0], "seconds": sum(clip.seconds for clip in clips), "clip_hash": hash_, "clips": each}


def _audio_fields(audio: PreparedAudio) -> AudioRecord:
    fields: AudioRecord = {
        "seconds": audio.seconds,
        "rate": audio.rate,
        "channels": audio.channels,
        "rule": audio.rule,
        "clip_hash": audio.hash,
    }
    if audio.snr_db is not None:
        fields["snr_db"] = audio.snr_db
    if audio.kbits is not None:
        fields["kbits"] = audio.kbits
    return fields
