"""The architectures that a tiny checkpoint is made of."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

BASE, ADAPTER, REFERENCE = "base", "adapter", "adapter-of-peft"
"""Folders of an entry with a LoRA apart; the last holds it under the names that PEFT reads in any class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiny:
    """One architecture, by the short name of its family."""

    module: str
    """The module of this folder that writes it."""
    transformers: str
    """The class of transformers that is compared with vLLM."""
    vllm: Mapping[str, Any] | None = field(default_factory=dict)
    """What vLLM has to be told of it; None where it does not run it."""
    local: bool = True
    """Whether dtbench runs it with transformers."""
    remote: bool = False
    """Whether code of the checkpoint is what transformers runs."""
    thinker: bool = False
    """Whether the part that answers is saved alone, as most trainers of models that also speak leave it."""
    lora: Literal["peft", "release"] | None = None
    """The names of a LoRA beside it, with which it is asked, merged by dtbench."""
    experts: bool = False
    """Whether the LoRA changes those of a mixture as well."""
    bare: str | None = None
    """The entry whose answers it would give if its LoRA were not heard."""
    needs: str | None = None
    """A package without which neither engine loads it."""
    mark: str | None = None
    """What stands for a clip where the chat template takes nothing but text; else a part of the message does."""
    tolerance: float = 1e-4
    """How far the log-probabilities of the tokens may be apart."""
    apart: tuple[float, ...] = ()
    """Lengths of clips, in seconds, that the two do not make the same tokens of."""
    onednn: bool = True
    """Whether vLLM may multiply with oneDNN on a CPU; else torch does it."""
    always: bool = False
    """Whether it is in every run of the tests, or only where all are asked for."""

    @property
    def is_there(self) -> bool:
        """Whether this environment has what it needs."""
        return self.needs is None or importlib.util.find_spec(self.needs) is not None

    def served(self) -> Mapping[str, Any]:
        """The options of vLLM's engine."""
        return {**({"trust_remote_code": True} if self.remote else {}), **(self.vllm or {})}

    def asked(self, folder: Path) -> Path:
        """What `--model` is given for what was written into this folder."""
        return folder / ADAPTER if self.lora else folder

    def what(self) -> str:
        """What is run of it, in a few words."""
        kind = "code of the checkpoint" if self.remote else self.transformers
        alone = "saved alone" if self.thinker else ""
        merged = f"LoRA merged by dtbench, names as {self.lora}" if self.lora else ""
        beside = "its adapter beside it" if self.bare and not self.lora else ""
        torch = "" if self.onednn else "vLLM without oneDNN"
        never = "not in vLLM" if self.vllm is None else ""
        return "; ".join(filter(None, (kind, alone, merged, beside, torch, never)))

    def write(self, folder: Path) -> None:
        """Write the checkpoint; takes torch and transformers, and seconds."""
        base = folder / BASE if self.lora else folder
        base.mkdir(parents=True, exist_ok=True)
        importlib.import_module(f"tiny_checkpoints.{self.module}").write(base)
        if self.thinker:
            from tiny_checkpoints.parts import keep_part

            keep_part(base, self.transformers)
        if self.lora:
            from tiny_checkpoints.lora import write_adapter

            write_adapter(base, folder / ADAPTER, names=self.lora, experts=self.experts)
            write_adapter(base, folder / REFERENCE, experts=self.experts)


_HEARING = {"limit_mm_per_prompt": {"audio": 1, "image": 0, "video": 0}}
_MISTRAL = dict.fromkeys(("tokenizer_mode", "config_format", "load_format"), "mistral")
_OMNI = Tiny(
    module="qwen2_5_omni", transformers="Qwen2_5OmniThinkerForConditionalGeneration", vllm=_HEARING, always=True
)
_OMNI_3 = Tiny(
    module="qwen3_omni", transformers="Qwen3OmniMoeThinkerForConditionalGeneration", vllm=_HEARING, always=True
)
_QWEN2_AUDIO = Tiny(module="qwen2_audio", transformers="Qwen2AudioForConditionalGeneration", always=True)
_GRANITE = Tiny(
    module="granite_speech", transformers="GraniteSpeechForConditionalGeneration", mark="<|audio|>", always=True
)
TINY: Mapping[str, Tiny] = {
    "qwen2-audio": _QWEN2_AUDIO,
    "qwen2.5-omni": _OMNI,
    "qwen3-omni": _OMNI_3,
    "audio-flamingo-3": Tiny(module="audio_flamingo_3", transformers="AudioFlamingo3ForConditionalGeneration"),
    "granite-speech": _GRANITE,
    "granite-speech-adapter": replace(
        _GRANITE,
        module="granite_speech_adapter",
        bare="granite-speech",
        always=False,
    ),
    "granite-speech-plus": Tiny(
        module="granite_speech_plus", transformers="GraniteSpeechPlusForConditionalGeneration", mark="<|audio|>"
    ),
    "qwen2.5-omni-thinker": replace(_OMNI, thinker=True, always=False),
    "qwen3-omni-thinker": replace(_OMNI_3, thinker=True, always=False),
    "qwen2-audio-lora": replace(_QWEN2_AUDIO, lora="release", bare="qwen2-audio", always=False),
    "qwen2.5-omni-lora": replace(_OMNI, lora="release", bare="qwen2.5-omni", always=False),
    "qwen3-omni-lora": replace(_OMNI_3, lora="peft", experts=True, bare="qwen3-omni", always=False),
    "glm-asr": Tiny(module="glm_asr", transformers="GlmAsrForConditionalGeneration"),
    "qwen3-asr": Tiny(
        module="qwen3_asr",
        transformers="Qwen3ASRForConditionalGeneration",
        tolerance=0.02,  # clips below a second: transformers pads them to one, vLLM does not
    ),
    "voxtral": Tiny(module="voxtral", transformers="VoxtralForConditionalGeneration", vllm=_MISTRAL),
    "ultravox": Tiny(module="ultravox", transformers="AutoModel", remote=True, local=False),
    "moss-audio": Tiny(module="moss_audio", transformers="AutoModel", remote=True, local=False),
    "gemma-3n": Tiny(module="gemma_3n", transformers="Gemma3nForConditionalGeneration", vllm=_HEARING, needs="timm"),
    "gemma-4": Tiny(
        module="gemma_4",
        transformers="Gemma4ForConditionalGeneration",
        vllm=_HEARING,
        onednn=False,  # vLLM hands it a turned matrix under its audio tower: `Expected a.stride(-1) == 1`
    ),
    "gemma-4-unified": Tiny(
        module="gemma_4_unified",
        transformers="Gemma4UnifiedForConditionalGeneration",
        vllm=_HEARING,
        apart=(0.45,),  # vLLM counts no token for a rest of up to 10 ms, transformers does
    ),
    "music-flamingo": Tiny(module="music_flamingo", transformers="MusicFlamingoForConditionalGeneration", vllm=None),
}
TRIED = [name for name, tiny in TINY.items() if tiny.always or os.environ.get("DTBENCH_WHOLE") == "1"]
"""Those that tests are run with."""
