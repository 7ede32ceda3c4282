"""The architectures that a tiny checkpoint is made of."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = "FOLDER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiny:
    """One architecture, by the short name of its family."""

    module: str
    """The module of this folder that writes it."""
    transformers: str
    """The class of transformers that is compared with vLLM."""
    vllm: Mapping[str, Any] | None = field(default_factory=dict)
    """What vLLM has to be told of it, FOLDER for where it lies; None where it does not run it."""
    remote: bool = False
    """Whether code of the checkpoint is what transformers runs."""
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

    def served(self, folder: Path) -> Mapping[str, Any]:
        """The options of vLLM's engine for a checkpoint in this folder."""
        own = {"trust_remote_code": True} if self.remote else {}
        return own | {
            name: {key: str(folder) if value == FOLDER else value for key, value in option.items()}
            if isinstance(option, dict)
            else option
            for name, option in (self.vllm or {}).items()
        }

    def write(self, folder: Path) -> None:
        """Write the checkpoint; takes torch and transformers, and seconds."""
        folder.mkdir(parents=True, exist_ok=True)
        importlib.import_module(f"tiny_checkpoints.{self.module}").write(folder)


_HEARING = {"limit_mm_per_prompt": {"audio": 1, "image": 0, "video": 0}}
_MISTRAL = dict.fromkeys(("tokenizer_mode", "config_format", "load_format"), "mistral")
TINY: Mapping[str, Tiny] = {
    "qwen2-audio": Tiny(module="qwen2_audio", transformers="Qwen2AudioForConditionalGeneration", always=True),
    "qwen2.5-omni": Tiny(
        module="qwen2_5_omni",
        transformers="Qwen2_5OmniThinkerForConditionalGeneration",
        vllm=_HEARING,
        always=True,
    ),
    "qwen3-omni": Tiny(
        module="qwen3_omni",
        transformers="Qwen3OmniMoeThinkerForConditionalGeneration",
        vllm=_HEARING,
        always=True,
    ),
    "audio-flamingo-3": Tiny(
        module="audio_flamingo_3", transformers="AudioFlamingo3ForConditionalGeneration", always=True
    ),
    "granite-speech": Tiny(
        module="granite_speech",
        transformers="GraniteSpeechForConditionalGeneration",
        mark="<|audio|>",
        always=True,
    ),
    "granite-speech-adapter": Tiny(
        module="granite_speech_adapter",
        transformers="GraniteSpeechForConditionalGeneration",
        mark="<|audio|>",
        vllm={"enable_lora": True, "max_lora_rank": 64, "default_mm_loras": {"audio": FOLDER}},
    ),
    "granite-speech-plus": Tiny(
        module="granite_speech_plus", transformers="GraniteSpeechPlusForConditionalGeneration", mark="<|audio|>"
    ),
    "glm-asr": Tiny(module="glm_asr", transformers="GlmAsrForConditionalGeneration"),
    "qwen3-asr": Tiny(
        module="qwen3_asr",
        transformers="Qwen3ASRForConditionalGeneration",
        tolerance=0.02,  # clips below a second: transformers pads them to one, vLLM does not
    ),
    "voxtral": Tiny(module="voxtral", transformers="VoxtralForConditionalGeneration", vllm=_MISTRAL),
    "ultravox": Tiny(module="ultravox", transformers="AutoModel", remote=True),
    "moss-audio": Tiny(module="moss_audio", transformers="AutoModel", remote=True),
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
