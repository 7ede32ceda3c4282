"""Ultravox in plain torch, as code of its checkpoint: Whisper's encoder, frames stacked by eight, a projector, a Llama.

The released code is of another author and another version of transformers; this one computes the same, is short, and
is what vLLM's own class is compared with.
"""

# mypy: disable-error-code="misc"
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import (
    BatchFeature,
    GenerationMixin,
    LlamaConfig,
    LlamaForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    ProcessorMixin,
    WhisperConfig,
)
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.whisper.modeling_whisper import WhisperEncoder

FRAMES = 3000
"""Of a window of the encoder: a longer clip is several."""


class UltravoxConfig(PretrainedConfig):
    """What the model is made of."""

    model_type = "ultravox"
    sub_configs: ClassVar = {"audio_config": WhisperConfig, "text_config": LlamaConfig}

    def __init__(
        self,
        audio_config: dict[str, Any] | WhisperConfig | None = None,
        text_config: dict[str, Any] | LlamaConfig | None = None,
        **rest: Any,
    ) -> None:
        self.audio_config = (
            audio_config if isinstance(audio_config, WhisperConfig) else WhisperConfig(**audio_config or {})
        )
        self.text_config = text_config if isinstance(text_config, LlamaConfig) else LlamaConfig(**text_config or {})
        self.hidden_size: int = rest.pop("hidden_size", 4096)
        self.stack_factor: int = rest.pop("stack_factor", 8)
        self.audio_token_index: int = rest.pop("audio_token_index", 0)
        super().__init__(**rest)


class UltravoxProcessor(ProcessorMixin):
    """Mel features of whole windows of 30 s and a rest, and a token for every eight frames of the encoder."""

    attributes: ClassVar = ["audio_processor", "tokenizer"]
    audio_processor_class = "WhisperFeatureExtractor"
    tokenizer_class = "AutoTokenizer"

    def __init__(self, audio_processor: Any = None, tokenizer: Any = None, chat_template: Any = None) -> None:
        self.audio_token = self.audio_token_replacement = "<|audio|>"
        self.audio_replacement_token_id: int | None = None
        super().__init__(audio_processor, tokenizer, chat_template=chat_template)

    def __call__(self, text: Any = None, audio: Any = None, audios: Any = None, **options: Any) -> BatchFeature:
        """Tokens with a place for everything that is heard, and the features."""
        clips = audios if audios is not None else audio if audio is not None else []
        windows = [self._windows(clip) for clip in clips]
        lengths = [window.shape[-1] for clip in windows for window in clip]
        tokens = [max(1, math.ceil(length / 16)) for length in lengths]
        data: dict[str, Any] = {}
        if windows:
            padded = [nn.functional.pad(one, (0, max(lengths) - one.shape[-1])) for clip in windows for one in clip]
            data = {
                "audio_values": torch.stack(padded),
                "audio_lens": torch.tensor(lengths),
                "audio_token_len": torch.tensor(tokens),
            }
            if options.get("include_audio_num_chunks"):
                data["audio_num_chunks"] = torch.tensor([len(clip) for clip in windows])
        if text is not None:
            data.update(self.tokenizer(self._expanded(text, windows, tokens), return_tensors="pt"))
        return BatchFeature(data)

    def _windows(self, samples: Any) -> Sequence[torch.Tensor]:
        made = self.audio_processor(
            samples,
            sampling_rate=self.audio_processor.sampling_rate,
            padding="longest",
            pad_to_multiple_of=self.audio_processor.hop_length,
            truncation=False,
            return_tensors="pt",
        )
        return list(made["input_features"][0].split(FRAMES, dim=-1))

    def _expanded(self, text: Any, windows: Sequence[Sequence[Any]], tokens: Sequence[int]) -> list[str]:
        left = iter(tokens)
        places = [self.audio_token * sum(next(left) for _ in clip) for clip in windows]
        made = []
        for one in [text] if isinstance(text, str) else text:
            before, *after = one.split(self.audio_token)
            made.append(before + "".join((places.pop(0) if places else self.audio_token) + rest for rest in after))
        return made


class Projector(nn.Module):
    """Stack the frames of a window by eight, and bring them to the width of the decoder."""

    def __init__(self, config: UltravoxConfig) -> None:
        super().__init__()
        self.stack = config.stack_factor
        width = config.audio_config.d_model * self.stack
        self.ln_pre = nn.RMSNorm(width, eps=1e-6)
        self.linear_1 = nn.Linear(width, config.hidden_size, bias=False)
        self.ln_mid = nn.RMSNorm(config.hidden_size // 2, eps=1e-6)
        self.linear_2 = nn.Linear(config.hidden_size // 2, config.text_config.hidden_size, bias=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Of one window."""
        whole = nn.functional.pad(frames, (0, 0, 0, -len(frames) % self.stack))
        value, gate = self.linear_1(self.ln_pre(whole.reshape(-1, whole.shape[-1] * self.stack))).chunk(2, dim=-1)
        projected: torch.Tensor = self.linear_2(self.ln_mid(value * nn.functional.silu(gate)))
        return projected


class UltravoxModel(PreTrainedModel, GenerationMixin):
    """The whole model."""

    config_class = UltravoxConfig

    def __init__(self, config: UltravoxConfig) -> None:
        super().__init__(config)
        self.audio_tower = WhisperEncoder(config.audio_config)
        self.multi_modal_projector = Projector(config)
        self.language_model = LlamaForCausalLM(config.text_config)
        self.post_init()

    def get_input_embeddings(self) -> Any:
        """Of the decoder."""
        return self.language_model.get_input_embeddings()

    def get_output_embeddings(self) -> Any:
        """Of the decoder."""
        return self.language_model.get_output_embeddings()

    def forward(
        self,
        input_ids: Any = None,
        audio_values: Any = None,
        audio_lens: Any = None,
        audio_token_len: Any = None,
        past_key_values: Any = None,
        inputs_embeds: Any = None,
        **rest: Any,
    ) -> CausalLMOutputWithPast:
        """Hear the clips where they stand for the first time, and go on as the decoder does."""
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
            if audio_values is not None and not (past_key_values and past_key_values.get_seq_length()):
                windows = zip(audio_values, audio_lens.tolist(), audio_token_len.tolist(), strict=True)
                heard = torch.cat([self._heard(one[:, :length])[:tokens] for one, length, tokens in windows])
                places = (input_ids == self.config.audio_token_index).unsqueeze(-1)
                inputs_embeds = inputs_embeds.masked_scatter(places, heard.to(inputs_embeds.dtype))
        rest = {name: value for name, value in rest.items() if name not in ("token_type_ids", "audio_num_chunks")}
        made: CausalLMOutputWithPast = self.language_model(
            inputs_embeds=inputs_embeds, past_key_values=past_key_values, **rest
        )
        return made

    def _heard(self, features: torch.Tensor) -> torch.Tensor:
        """One window as the decoder takes it: of Whisper's positions as many as it has frames."""
        tower = self.audio_tower
        frames = nn.functional.gelu(tower.conv1(features[None].to(tower.conv1.weight.dtype)))
        frames = nn.functional.gelu(tower.conv2(frames)).transpose(1, 2)
        frames = frames + tower.embed_positions.weight[: frames.shape[1]]
        for layer in tower.layers:
            made = layer(frames, attention_mask=None)
            frames = made[0] if isinstance(made, tuple) else made
        projected: torch.Tensor = self.multi_modal_projector(tower.layer_norm(frames)[0])
        return projected
