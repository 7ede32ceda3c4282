"""MOSS-Audio, with code of its own as the released one has, and a configuration that only that code reads."""

from __future__ import annotations

from pathlib import Path

from tiny_checkpoints import parts
from tiny_checkpoints.remote import moss_audio

MARKS = {"audio_token_id": moss_audio.AUDIO, "audio_start_id": "<|audio_bos|>", "audio_end_id": "<|audio_eos|>"}
CLIP = "<|audio_bos|><|AUDIO|><|audio_eos|>"


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = parts.byte_tokenizer(*MARKS.values())
    marks = dict(zip(MARKS, parts.ids(tokenizer, *MARKS.values()), strict=True))
    config = moss_audio.MossAudioConfig(
        audio_config={
            **parts.whisper_sizes(),
            "output_dim": 96,
            "downsample_hidden_size": 16,
            "encoder_layers": 3,
            "n_window": 200,
            "deepstack_encoder_layer_indexes": [0, 1],
        },
        language_config={**parts.text_sizes(tokenizer), "head_dim": 32},
        adapter_hidden_size=128,
        audio_token_id=marks["audio_token_id"],
        tie_word_embeddings=False,
    )
    model = moss_audio.MossAudioModel(config).float()
    parts.randomise(model)
    processor = moss_audio.MossAudioProcessor(
        parts.mel_features(), tokenizer, chat_template=parts.chat_template(CLIP), enable_time_marker=True, **marks
    )
    parts.save(model, processor, folder)
    parts.add_code(
        folder,
        moss_audio,
        AutoConfig=moss_audio.MossAudioConfig,
        AutoModel=moss_audio.MossAudioModel,
        AutoProcessor=moss_audio.MossAudioProcessor,
    )
