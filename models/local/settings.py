"""Settings of `--backend local`, by `-M`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.typed_settings import Condition, above, at_least, check_settings, path_of
from dtbench.harness.extract.chain_tags import ChainTags

DEVICE_MAPS = ("auto", "balanced", "balanced_low_0", "sequential")
MACHINE_SETTINGS = ("batch_size", "device", "device_map", "attn_implementation")
"""Settings that say how a machine does its work: a run goes on with others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """How a checkpoint answers in this process, by `-M key=value`."""

    batch_size: Annotated[int, at_least(1)] = 8
    """Prompts in one batch; in float32 an answer does not depend on it."""
    device: str = "auto"
    """cpu, cuda, cuda:1, mps; auto: a GPU where there is one."""
    device_map: str | None = None
    """Spread the layers over several devices: auto, balanced, sequential, or a JSON object of layers and devices."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """auto: the type in which the checkpoint was saved."""
    attn_implementation: str | None = None
    """How attention is computed, such as sdpa, eager or flash_attention_2."""
    load_in_4bit: bool = False
    """Quantise the weights to four bits with bitsandbytes while they are loaded."""
    load_in_8bit: bool = False
    """Quantise the weights to eight bits with bitsandbytes while they are loaded."""
    revision: str | None = None
    """Version of a checkpoint on the hub: a branch, a tag or a commit."""
    max_tokens: Annotated[int, at_least(1)] = 2048
    """Longest answer, in tokens."""
    temperature: Annotated[float, at_least(0)] = 0.0
    """Sampling temperature; 0 takes the likeliest token."""
    top_p: Annotated[float, Condition(lambda value: 0 < value <= 1, "above 0 and at most 1")] = 1.0
    """Sample from the likeliest tokens that have this probability together."""
    top_k: Annotated[int, at_least(0)] = 0
    """Sample from so many of the likeliest tokens; 0 for all."""
    min_p: Annotated[float, Condition(lambda value: 0 <= value < 1, "0 or more and below 1")] = 0.0
    """Sample from tokens with at least this share of the likeliest one's probability."""
    repetition_penalty: Annotated[float, above(0)] = 1.0
    """Above 1, tokens of prompt and answer become less likely to come again; 1 for none."""
    seed: int = 0
    """For prompts without a seed of their own."""
    stop: list[str] | None = None
    """Texts at which an answer ends, without them."""
    stop_token_ids: list[int] | None = None
    """Tokens at which an answer ends, besides those of the checkpoint."""
    chat_template: str | None = None
    """A file with the chat template, in place of the checkpoint's."""
    chat_template_kwargs: dict[str, Any] | None = None
    """Values that the chat template reads, such as `{"enable_thinking": true}`."""
    system: str | None = None
    """System prompt of questions that have none of their own; as --system."""
    trust_remote_code: bool = False
    """Run code of the checkpoint, with your rights."""
    rate: int = 16000
    """The sampling rate of the clips that the model gets."""
    limit_seconds: float | None = None
    """The longest clip that the model takes."""
    chain: ChainTags | None = None
    """The model's own tags around its chain of thought, such as `<reason>,</reason>`; common ones are known."""

    def __post_init__(self) -> None:
        """Refuse values out of range, also those of generation_config.json and of a family."""
        check_settings(self, "-M")
        if self.load_in_4bit and self.load_in_8bit:
            raise UserError("-M load_in_4bit and -M load_in_8bit: one of them is allowed.")
        if self.device_map is not None:
            if self.device != "auto":
                raise UserError(f"-M device_map={self.device_map}: it says every device; leave -M device out.")
            self.placement()
        if self.stop is not None and not all(self.stop):
            raise UserError("-M stop: an empty text is in it, at which every answer would end at once.")

        self.template_text()

    def template_text(self) -> str | None:
        """Return the chat template that takes the place of the checkpoint's, from its file or as it stands."""
        given = self.chat_template
        if given is None or "{" in given:
            return given
        try:
            return path_of(given).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"-M chat_template={given}: not a file with a chat template ({error}).") from None

    def placement(self) -> str | dict[str, str | int] | None:
        """Return the map of devices as transformers takes it; None where there is one device."""
        if self.device_map is None or self.device_map in DEVICE_MAPS:
            return self.device_map
        try:
            placed = json.loads(self.device_map)
        except ValueError:
            placed = None
        if not isinstance(placed, dict):
            expected = f'{did_you_mean(self.device_map, DEVICE_MAPS)} Or a JSON object, such as {{"": "cuda:1"}}.'
            raise UserError(f"-M device_map={self.device_map}: unknown. {expected}")
        return placed
