"""Tasks for lm-eval made here: one of text with its data, and stand-ins for the data of two of its own."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sounds import encoded, sine

CAPITALS = {
    "France": "Paris",
    "Spain": "Madrid",
    "Italy": "Rome",
    "Japan": "Tokyo",
    "Peru": "Lima",
    "Kenya": "Nairobi",
    "Egypt": "Cairo",
    "Norway": "Oslo",
    "Cuba": "Havana",
    "Ghana": "Accra",
    "Chad": "N'Djamena",
    "Fiji": "Suva",
}
SHOTS = 3
SPOKEN = "this is a tone of {:.0f} hertz and nothing else"
"""What a clip of common_voice() is said to hold."""
YAML = """
task: capitals
dataset_path: json
dataset_kwargs:
  data_files: {{test: {folder}/asked.jsonl, train: {folder}/shown.jsonl}}
training_split: train
fewshot_split: train
test_split: test
num_fewshot: 2
output_type: generate_until
doc_to_text: "What is the capital of {{{{country}}}}?\\nAnswer:"
doc_to_target: "{{{{capital}}}}"
generation_kwargs: {{until: ["\\n\\n"], temperature: 0.0, max_gen_toks: 24}}
filter_list:
  - name: last-word
    filter:
      - {{function: regex, regex_pattern: "([A-Z][a-z']+)[.]?$"}}
      - {{function: take_first}}
  - name: whole
    filter:
      - {{function: take_first}}
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true, ignore_case: true}}
  - {{metric: bleu, aggregation: bleu, higher_is_better: true}}
metadata: {{version: 2.0}}
"""


def capitals(folder: Path) -> Path:
    """The file of a task of text: nine questions, few-shot examples, two filters, one metric over all answers."""
    folder.mkdir(parents=True)
    rows = [{"country": country, "capital": capital} for country, capital in CAPITALS.items()]
    _write_lines(folder / "asked.jsonl", rows[SHOTS:])
    _write_lines(folder / "shown.jsonl", rows[:SHOTS])
    (folder / "capitals.yaml").write_text(YAML.format(folder=folder))
    return folder / "capitals.yaml"


def gsm8k(folder: Path, count: int) -> None:
    """Questions where lm-eval's gsm8k looks for its data, if this is where it runs."""
    home = folder / "openai" / "gsm8k"
    rows = [{"question": f"How much is {n} and {n + 1}?", "answer": f"Easy.\n#### {2 * n + 1}"} for n in range(count)]
    configuration = "configs:\n- config_name: main\n  data_files:\n"
    splits = "".join(f"  - {{split: {split}, path: {split}.jsonl}}\n" for split in ("train", "test"))
    home.mkdir(parents=True)
    (home / "README.md").write_text(f"---\n{configuration}{splits}---\n")
    _write_lines(home / "test.jsonl", rows)
    _write_lines(home / "train.jsonl", rows)


def common_voice(folder: Path, hertz: Sequence[float]) -> None:
    """Tones where lm-eval's common_voice_en looks for voices, one of each pitch."""
    import pyarrow
    import pyarrow.parquet

    home = folder / "fixie-ai" / "endpointing-audio"
    home.mkdir(parents=True)
    clips = [{"bytes": encoded(sine(pitch, 0.2, 16000), 16000).data, "path": f"{pitch}.wav"} for pitch in hertz]
    table = pyarrow.table({"audio": clips, "transcript": [SPOKEN.format(pitch) for pitch in hertz]})
    hints = {"info": {"features": {"audio": {"_type": "Audio"}, "transcript": {"dtype": "string", "_type": "Value"}}}}
    table = table.replace_schema_metadata({"huggingface": json.dumps(hints)})
    held = io.BytesIO()
    pyarrow.parquet.write_table(table, held)
    for split in ("train", "test"):
        (home / f"{split}.parquet").write_bytes(held.getvalue())
    configuration = "configs:\n- config_name: common_voice_17_0-en\n  data_files:\n"
    splits = "".join(f"  - {{split: {split}, path: {split}.parquet}}\n" for split in ("train", "test"))
    (home / "README.md").write_text(f"---\n{configuration}{splits}---\n")


def _write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
