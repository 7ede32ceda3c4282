"""What a run folder holds: the types of run.json and of a record; beside it those of summary.json and of comparisons.

All are plain dicts. The JSON Schemas beside this module are made from these types; see json_schemas.py.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

from dtbench.harness.store.form_types import ExamplesInfo, ParaphraseInfo

Status = Literal["done", "interrupted", "failed"]
RunStatus = Literal["running", "done", "interrupted", "failed"]


def as_fields(value: NamedTuple) -> Any:
    """Return the fields of a named tuple as the dict that is stored."""
    return value._asdict()


# One line of TASK.jsonl.


class AudioRecord(TypedDict):
    """What a model heard of a clip."""

    seconds: float
    rate: int
    channels: int
    """How many the published clip has; they are mixed down to one."""
    rule: str
    """`whole`, or what was done to a clip that is longer than the model takes."""
    clip_hash: NotRequired[str]
    """The first twelve digits of the SHA-256 of the clip as published, as `sha256sum` has it; absent in older runs.

    Of several clips, those of their hashes, a line each.
    """
    snr_db: NotRequired[float]
    """Where noise was added: by how much the clip is louder, as measured; absent where the clip is silent."""
    kbits: NotRequired[float]
    """Where the clip was encoded and decoded again: the bitrate, as measured."""
    heard_channels: NotRequired[int]
    """Of a task that asks for the channels of its clips, how many the model heard."""
    clips: NotRequired[list[AudioRecord]]
    """Each of several clips; the other fields are then the first one's, `seconds` the length of all together."""


def clip_hashes(audio: AudioRecord | None) -> list[str]:
    """Return the hash of each clip that was heard; none of those that an older dtbench did not hash."""
    each = [] if audio is None else audio.get("clips", [audio])
    return [clip["clip_hash"] for clip in each if "clip_hash" in clip]


class ErrorRecord(TypedDict):
    """Why there is no answer."""

    kind: str
    """`model`, `audio`, or, of a judge, `unreadable`."""
    message: str
    attempts: NotRequired[int]
    """How often the model was asked."""
    usage: NotRequired[dict[str, int]]
    """Tokens of replies that gave no answer, where the endpoint reports them."""


class LogprobFields(TypedDict, total=False):
    """How likely the options of a forced answer were."""

    option_logprobs: list[float | None]
    """The log-probability of each option's letter, in the order shown; null for a letter that was not listed."""
    unlisted_max: float
    """The log-probability that no unlisted letter exceeds."""


class ResponseRecord(LogprobFields):
    """What a model answered, and what it took."""

    text: str
    finish_reason: str
    usage: dict[str, int]
    """Tokens, under the names of the endpoint."""
    seconds: float
    attempts: NotRequired[int]
    seed: NotRequired[int]
    """The seed where it is another than the question's own: the first request took too long."""
    lost_usage: NotRequired[dict[str, int]]
    """Tokens of earlier attempts that gave no answer, where the endpoint reports them."""
    cut_at_budget: NotRequired[bool]
    """Whether the chain was ended at --think-budget; absent without a budget, and where the model does not tell."""


class ExtractionRecord(TypedDict):
    """What was read from the text."""

    answer: str
    """The words in which the answer was given."""
    choice: str | None
    """The option that was meant, or the words of an open answer; null where nothing decides."""
    how: str
    """The rule that decided, or why nothing did."""
    level: NotRequired[str | None]
    """The level of evidence for the option that was read; null where none was."""
    set_aside: NotRequired[str | None]
    """The option that was read on evidence too weak to count; then there is no choice."""
    thinking_chars: int
    """The length of the chain of thought, which stands in the text."""


class OfficialRecord(TypedDict):
    """The verdict of the benchmark's own script."""

    correct: bool
    counted: bool
    """Whether the script leaves the answer in its denominator."""
    why: str
    """Why an answer is not counted, or what the script could not read."""
    mark: NotRequired[float]
    """From 0 to 1, where the answer is partly right; absent where `correct` says it all."""


def mark_of(official: OfficialRecord) -> float | None:
    """Return an official verdict as a number from 0 to 1; None where it is not counted."""
    return official.get("mark", float(official["correct"])) if official["counted"] else None


class ScoreRecord(TypedDict):
    """Both verdicts on an answer."""

    official: OfficialRecord
    """On what a prediction file would hold."""
    correct: bool | None
    """What a careful reader says; null where no answer was read."""
    raw: OfficialRecord | None
    """The script's verdict on the untouched text; null where an older version of the script was asked for."""
    set_aside: NotRequired[bool | None]
    """What a careful reader says of the option that was set aside; absent where none was."""
    marks: NotRequired[dict[str, float | None]]
    """By each scorer of the task, the official one first; null where no answer was given, or where the mark waits."""
    waits: NotRequired[list[str]]
    """The scorers whose marks a second pass gives; absent where none is."""
    open: NotRequired[bool]
    """Whether the question has no options, and `correct` waits too; there where a mark waits."""
    gold_index: NotRequired[int | None]
    """Of a forced answer: the place of the right option among those shown."""


class StoredLine(TypedDict):
    """What every line of records holds."""

    id: str
    sample: int
    """Which of the answers to this question, or of a judge's calls on this chain, from 0."""
    crc: NotRequired[str]
    """The CRC-32 of every byte before it, in hex; there in the file, and not in what is read from it."""


class Record(StoredLine):
    """One answer of a run: either `response`, `extraction` and `score`, or `error`."""

    prompt_hash: str
    question_hash: NotRequired[str]
    """Differs where the question, its options or its answer does."""
    audio: AudioRecord | None
    """Null where nothing was heard."""
    response: NotRequired[ResponseRecord]
    extraction: NotRequired[ExtractionRecord]
    score: NotRequired[ScoreRecord]
    error: NotRequired[ErrorRecord]
    groups: dict[str, str]
    """What the benchmark reports by: heading and value."""


class AskedAudioRecord(TypedDict):
    """Which clip was sent."""

    clip_hash: NotRequired[str]


class AskedRecord(StoredLine):
    """The part of a Record that says what was asked, which is read in a third of the time that all of it takes."""

    prompt_hash: str
    question_hash: NotRequired[str]
    audio: AskedAudioRecord | None
    error: NotRequired[ErrorRecord]


class CotRecord(StoredLine):
    """One text of `dtbench cot`: `taken`, `rejected` or `error`."""

    text: NotRequired[str]
    usage: NotRequired[dict[str, int]]
    attempts: NotRequired[int]
    taken: NotRequired[Any]
    """What was read from the text."""
    rejected: NotRequired[str]
    """Why nothing could be."""
    error: NotRequired[ErrorRecord]


# run.json.


class GitInfo(TypedDict):
    """The checkout that a start ran from."""

    commit: str | None
    dirty: bool


class StartInfo(TypedDict):
    """One start of a run."""

    command: list[str]
    start: str
    end: str | None
    status: RunStatus
    pid: int
    host: str
    dtbench: str
    git: GitInfo | None
    python: str
    packages: dict[str, str]
    preflight: NotRequired[dict[str, Any]]
    """What the model found when it tried the first question."""


class DataInfo(TypedDict):
    """Which questions were asked."""

    version: str
    sha256: str
    source: str
    """The file or folder that was read."""


class TaskInfo(TypedDict):
    """One task of a run: what its answers depend on, and which of them the last start asked for."""

    data: DataInfo
    prompt: str
    """The words around a question."""
    prompt_hash: str
    think_budget: NotRequired[int]
    """The most tokens of a chain of thought."""
    prompt_name: NotRequired[str]
    """The name of the authors' prompt that it is."""
    num_fewshot: NotRequired[int]
    """How many examples stand before each question."""
    examples: NotRequired[ExamplesInfo]
    questions: int
    """How many the last start asked for."""
    ids_sha256: str
    samples: int
    """How many answers to each question the last start asked for."""
    chosen_by: NotRequired[list[str]]
    """The options by which the last start chose some of the questions, such as `--limit 300`."""
    ids: NotRequired[list[str]]
    """The questions of the last start, where the folder holds answers to others too; absent, all answers count."""
    min_evidence: NotRequired[str]
    """The weakest level of evidence that counts as an answer; where it is absent, every option that was read counts."""
    answer: str
    """The style of answer: direct, think or forced."""
    chain: NotRequired[list[str]]
    """The model's own opening and closing tag around its chain of thought, by which every command reads its answers."""
    forced: NotRequired[dict[str, int]]
    """How a forced answer is sampled."""
    audio: str
    """What is heard: clip, silence, noise or shuffle, the clip with noise (noise:10dB) or through a codec (mp3:16k)."""
    permute: int
    """By how many places the options are rotated."""
    order: NotRequired[int]
    """Which of all orders the options have, from 2; absent for the data set's own or a rotation."""
    paraphrase: NotRequired[ParaphraseInfo]
    seed: int
    stereo: NotRequired[bool]
    """Of a task that asks for the channels of its clips, whether they were heard; False where they were mixed down."""
    shared_clips: dict[str, int]
    """The number of its clip, for each question that shares one."""
    model: NotRequired[dict[str, Any]]
    """What of the model differs between the tasks of a run."""
    prescribed: NotRequired[list[str]]
    """The options of sampling that the task itself sets."""
    task_file: NotRequired[str]
    """Where a task of the user's own is defined."""
    definition: NotRequired[dict[str, Any]]
    """What its task file said, so that the run finds its task again where the file is gone."""
    in_memory: NotRequired[bool]
    """Whether its questions were given to Task.of() in Python, and are in no file but this run's."""
    scorer: NotRequired[str]


class StoredInfo(TypedDict):
    """What every run.json holds."""

    schema: int
    status: RunStatus
    start: str | None
    end: str | None
    starts: list[StartInfo]
    planned: NotRequired[dict[str, int]]
    """How many records of each task the last start expects in the end, where the settings do not say it."""


class RunInfo(StoredInfo):
    """run.json of a run: what its answers depend on, what was asked for last, and every start of it."""

    kind: Literal["run"]
    model: dict[str, Any]
    """The model and how it samples, as the model describes itself."""
    endpoint: dict[str, Any]
    """Where the model is; not part of what a run is."""
    long_clips: str
    track: NotRequired[str]
    request: NotRequired[dict[str, Any]]
    """What the last start asked for, as a file of `dtbench run --config` has it."""
    tasks: dict[str, TaskInfo]
    """What the last start asked for, in its order."""
    other_tasks: NotRequired[dict[str, TaskInfo]]
    """Tasks of earlier starts that the last one did not ask for; their answers stay."""


class JudgedTaskInfo(TypedDict):
    """The chains that a judge marks, or that `dtbench faithful` changes."""

    chains: str
    """A hash of them."""
    questions: int
    data: DataInfo
    sample: NotRequired[int]
    """Of several answers to a question: which; absent where all are judged."""


class JudgeInfo(StoredInfo):
    """run.json of a judge."""

    kind: Literal["judge"]
    judge: dict[str, Any]
    endpoint: dict[str, Any]
    scorer: NotRequired[str]
    """What is judged, by the name of the scorer; absent for rubrics."""
    calibration: NotRequired[bool]
    """Whether made cases are judged, whose marks are known."""
    rule: NotRequired[dict[str, Any]]
    """How replies are read and counted, where the scorer has several ways."""
    prompt: str
    prompt_hash: str
    calls: int
    """How many for each chain the last start asked for."""
    judge_seed: int
    tasks: dict[str, JudgedTaskInfo]
    other_tasks: NotRequired[dict[str, JudgedTaskInfo]]
    """Tasks of earlier starts that the last one did not ask for; their verdicts stay."""


class CotStepInfo(TypedDict):
    """One step of `dtbench cot`."""

    rows: int
    sha256: str


class CotInfo(StoredInfo):
    """run.json of `dtbench cot`."""

    kind: Literal["cot"]
    models: dict[str, dict[str, Any]]
    endpoint: dict[str, dict[str, Any]]
    words: str
    """A hash of the prompts."""
    writing_seed: int
    tasks: dict[str, CotStepInfo]


class FaithfulInfo(StoredInfo):
    """run.json of `dtbench faithful`."""

    kind: Literal["faithful"]
    model: dict[str, Any]
    endpoint: dict[str, Any]
    prefill: bool
    """Whether the model continues an answer that was begun."""
    tasks: dict[str, JudgedTaskInfo]


AnyInfo = RunInfo | JudgeInfo | CotInfo | FaithfulInfo


class ShardInfo(StoredInfo):
    """run.I-of-N.json: one shard of a run, and every start of it."""

    kind: Literal["shard"]
    shard: int
    """From 1."""
    of: int
    questions: str
    """A hash of what all shards ask together."""
    missing: int | None
    """How many of its own questions had no record at its end; null before."""
