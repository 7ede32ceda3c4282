"""MOSS-Audio in plain torch, as code of its checkpoint: an encoder in windows of 4 s, whose inner layers the first
layers of a Qwen3 hear as well.

transformers has no class of it; this one is written after vLLM's, and is what that is compared with.
"""

# mypy: disable-error-code="misc"
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import (
    BatchFeature,
    GenerationMixin,
    PretrainedConfig,
    PreTrainedModel,
    ProcessorMixin,
    Qwen3Config,
    Qwen3Model,
)
from transformers.modeling_outputs import CausalLMOutputWithPast

AUDIO = "<|AUDIO|>"
RATE = 12.5
"""Tokens of a second."""
MARKED = 2
"""Seconds from one time marker to the next."""


def halved_thrice(length: int) -> int:
    """How many frames three convolutions of stride two leave."""
    for _ in range(3):
        length = (length - 1) // 2 + 1
    return length


class MossAudioConfig(PretrainedConfig):
    """What the model is made of."""

    model_type = "moss_audio"
    sub_configs: ClassVar = {"language_config": Qwen3Config}

    def __init__(
        self,
        audio_config: dict[str, Any] | None = None,
        language_config: dict[str, Any] | Qwen3Config | None = None,
        **rest: Any,
    ) -> None:
        self.audio_config = dict(audio_config or {})
        told = language_config or {}
        self.language_config = told if isinstance(told, Qwen3Config) else Qwen3Config(**told)
        self.adapter_hidden_size: int = rest.pop("adapter_hidden_size", 8192)
        self.audio_token_id: int = rest.pop("audio_token_id", 0)
        self.vocab_size = self.language_config.vocab_size
        self.hidden_size = self.language_config.hidden_size
        super().__init__(**rest)

    def get_text_config(self, decoder: Any = None, encoder: Any = None) -> Qwen3Config:
        """That of the decoder."""
        return self.language_config


class MossAudioProcessor(ProcessorMixin):
    """Mel features of the whole clip, and its tokens with the seconds between them as digits."""

    attributes: ClassVar = ["feature_extractor", "tokenizer"]
    feature_extractor_class = "WhisperFeatureExtractor"
    tokenizer_class = "AutoTokenizer"

    def __init__(  # noqa: PLR0913 -- by these names the values stand in processor_config.json
        self,
        feature_extractor: Any = None,
        tokenizer: Any = None,
        chat_template: Any = None,
        audio_token_id: int = 0,
        audio_start_id: int = 0,
        audio_end_id: int = 0,
        enable_time_marker: bool = False,
    ) -> None:
        self.audio_token_id = audio_token_id
        self.audio_start_id = audio_start_id
        self.audio_end_id = audio_end_id
        self.enable_time_marker = enable_time_marker
        super().__init__(feature_extractor, tokenizer, chat_template=chat_template)

    def __call__(self, text: Any = None, audio: Any = None, **_: Any) -> BatchFeature:
        """Tokens with a place for everything that is heard, and the features."""
        (written,) = [text] if isinstance(text, str) else text
        data: dict[str, Any] = {}
        for clip in audio or []:
            rate = self.feature_extractor.sampling_rate
            made = self.feature_extractor(
                clip, sampling_rate=rate, padding="longest", truncation=False, return_tensors="pt"
            )
            data = {
                "audio_data": made["input_features"],
                "audio_data_seqlens": torch.tensor([made["input_features"].shape[-1]]),
            }
            written = written.replace(AUDIO, self._places(halved_thrice(made["input_features"].shape[-1])), 1)
        return BatchFeature({**self.tokenizer([written], return_tensors="pt"), **data})

    def _places(self, tokens: int) -> str:
        if not self.enable_time_marker:
            return AUDIO * tokens
        seconds = range(MARKED, int(tokens / RATE) + 1, MARKED)
        step = int(RATE * MARKED)
        return "".join(AUDIO * step + str(second) for second in seconds) + AUDIO * (tokens - len(seconds) * step)


class Attention(nn.Module):
    """Of all frames of a window to each other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(3))
        self.k_proj = nn.Linear(width, width, bias=False)

    def forward(self, frames: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The mask says which frames are of the clip."""
        parts = [
            one(frames).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for one in (self.q_proj, self.k_proj, self.v_proj)
        ]
        heard = nn.functional.scaled_dot_product_attention(*parts, attn_mask=mask[:, None, None])
        made: torch.Tensor = self.out_proj(heard.transpose(1, 2).flatten(2))
        return made


class EncoderLayer(nn.Module):
    """As Whisper has it."""

    def __init__(self, sizes: dict[str, Any]) -> None:
        super().__init__()
        width = sizes["d_model"]
        self.self_attn = Attention(width, sizes["encoder_attention_heads"])
        self.self_attn_layer_norm, self.final_layer_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, sizes["encoder_ffn_dim"]), nn.Linear(sizes["encoder_ffn_dim"], width)

    def forward(self, frames: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The mask says which frames are of the clip."""
        frames = frames + self.self_attn(self.self_attn_layer_norm(frames), mask)
        made: torch.Tensor = frames + self.fc2(nn.functional.gelu(self.fc1(self.final_layer_norm(frames))))
        return made


class Encoder(nn.Module):
    """Three convolutions and layers of attention, over windows that know nothing of each other."""

    def __init__(self, sizes: dict[str, Any]) -> None:
        super().__init__()
        self.sizes = sizes
        inner, width = sizes["downsample_hidden_size"], sizes["d_model"]
        self.conv1, self.conv2, self.conv3 = (nn.Conv2d(one, inner, 3, 2, 1) for one in (1, inner, inner))
        self.stem_proj = nn.Linear(inner * halved_thrice(sizes["num_mel_bins"]), width)
        self.layers = nn.ModuleList([EncoderLayer(sizes) for _ in range(sizes["encoder_layers"])])
        self.layer_norm = nn.LayerNorm(width)
        self.out_proj = nn.Linear(width, sizes["output_dim"], bias=False)

    def forward(self, features: torch.Tensor) -> Sequence[torch.Tensor]:
        """Of one clip: the last layer, and each inner layer that the decoder hears."""
        windows = features.T.split(2 * self.sizes["n_window"])
        lengths = torch.tensor([halved_thrice(len(one)) for one in windows])
        frames = nn.utils.rnn.pad_sequence(list(windows), batch_first=True).transpose(1, 2)[:, None]
        for one in (self.conv1, self.conv2, self.conv3):
            frames = nn.functional.gelu(one(frames))
        frames = self.stem_proj(frames.permute(0, 3, 1, 2).flatten(2))
        frames = frames + _times(frames.shape[1], frames.shape[2]).to(frames)
        mask = torch.arange(frames.shape[1])[None] < lengths[:, None]
        inner = []
        for layer in self.layers:
            frames = layer(frames, mask)
            inner.append(frames)
        kept = [self.layer_norm(frames), *(inner[number] for number in self.sizes["deepstack_encoder_layer_indexes"])]
        return [self.out_proj(one)[mask] for one in kept]


def _times(length: int, width: int) -> torch.Tensor:
    scale = torch.exp(-torch.log(torch.tensor(10000.0)) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(length)[:, None] * scale
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class GatedMLP(nn.Module):
    """From the encoder's width to the decoder's."""

    def __init__(self, inputs: int, inner: int, outputs: int) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(inputs, inner, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(inner, outputs, bias=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Of any number of frames."""
        made: torch.Tensor = self.down_proj(nn.functional.silu(self.gate_proj(frames)) * self.up_proj(frames))
        return made


class MossAudioModel(PreTrainedModel, GenerationMixin):
    """The whole model."""

    config_class = MossAudioConfig

    def __init__(self, config: MossAudioConfig) -> None:
        super().__init__(config)
        inner = config.audio_config["deepstack_encoder_layer_indexes"]
        sizes = (config.audio_config["output_dim"], config.adapter_hidden_size, config.hidden_size)
        self.audio_encoder = Encoder(config.audio_config)
        self.audio_adapter = GatedMLP(*sizes)
        self.deepstack_audio_merger_list = nn.ModuleList([GatedMLP(*sizes) for _ in inner])
        self.language_model = Qwen3Model(config.language_config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> Any:
        """Of the decoder."""
        return self.language_model.embed_tokens

    def forward(
        self,
        input_ids: Any = None,
        audio_data: Any = None,
        audio_data_seqlens: Any = None,
        past_key_values: Any = None,
        **rest: Any,
    ) -> CausalLMOutputWithPast:
        """Hear the clips where they stand for the first time, and go on as the decoder does."""
        embedded = self.get_input_embeddings()(input_ids)
        extra: list[torch.Tensor] = []
        if audio_data is not None and not (past_key_values and past_key_values.get_seq_length()):
            clips = zip(audio_data, audio_data_seqlens.tolist(), strict=True)
            heard = [self.audio_encoder(one[:, :length].to(embedded.dtype)) for one, length in clips]
            first, *others = (torch.cat(one) for one in zip(*heard, strict=True))
            places = (input_ids == self.config.audio_token_id).unsqueeze(-1)
            embedded = embedded.masked_scatter(places, self.audio_adapter(first))
            extra = [
                torch.zeros_like(embedded).masked_scatter(places, merger(one))
                for merger, one in zip(self.deepstack_audio_merger_list, others, strict=True)
            ]
        rest.pop("inputs_embeds", None)
        rest.pop("token_type_ids", None)
        hooks = [
            layer.register_forward_hook(lambda module, told, made, one=one: made + one)
            for layer, one in zip(self.language_model.layers, extra, strict=False)
        ]
        try:
            made = self.language_model(inputs_embeds=embedded, past_key_values=past_key_values, **rest)
        finally:
            for hook in hooks:
                hook.remove()
        logits = self.lm_head(made.last_hidden_state)
        return CausalLMOutputWithPast(logits=logits, past_key_values=made.past_key_values)
