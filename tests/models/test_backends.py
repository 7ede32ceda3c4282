"""Which backend runs what, and with which settings."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.models.backends import open_model

ENGINES = all(importlib.util.find_spec(name) for name in ("vllm", "transformers"))
NEEDED = pytest.mark.skipif(not ENGINES, reason="vLLM and transformers are not installed: `make vllm`")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["Qwen2AudioForConditionalGeneration"]}')
    return folder


def sampled(folder: Path, **told: Any) -> None:
    (folder / "generation_config.json").write_text(json.dumps(told))


def described(spec: str | Path, backend: str | None = None, **options: str) -> Any:
    model = open_model(str(spec), options, backend=backend)
    assert model is not None
    return model.describe()


@NEEDED
def test_a_checkpoint_runs_in_vllm_unless_another_backend_is_named(checkpoint: Path) -> None:
    assert described(checkpoint)["name"] == "vllm"
    assert described(checkpoint, "local")["name"] == "local"


@NEEDED
def test_the_family_says_how_long_a_clip_may_be_and_the_user_may_say_otherwise(checkpoint: Path) -> None:
    for backend in ("vllm", "local"):
        assert described(checkpoint, backend)["limit_seconds"] == 30
        assert described(checkpoint, backend, limit_seconds="12")["limit_seconds"] == 12
        assert described(checkpoint, backend, family="glm-asr")["family"] == "glm-asr"


@NEEDED
def test_sampling_is_the_checkpoints_own_then_the_users(checkpoint: Path) -> None:
    assert described(checkpoint)["sampling"] == {"temperature": 0.0}
    sampled(checkpoint, do_sample=False, temperature=0.7, repetition_penalty=1.1)
    assert described(checkpoint)["sampling"] == {"temperature": 0.0, "repetition_penalty": 1.1}
    sampled(checkpoint, do_sample=True, temperature=0.7, top_k=20)
    assert described(checkpoint)["sampling"] == {"temperature": 0.7, "top_k": 20}
    assert described(checkpoint, temperature="0.2")["sampling"] == {"temperature": 0.2, "top_k": 20}
    local = described(checkpoint, "local")
    assert (local["temperature"], local["top_k"]) == (0.7, 20)


@NEEDED
def test_every_other_option_is_a_flag_of_vllm(checkpoint: Path) -> None:
    options = {"data_parallel_size": "8", "enable_prefix_caching": "false", "max_tokens": "7"}
    about = described(checkpoint, **options)
    assert about["flags"] == {"data_parallel_size": "8", "enable_prefix_caching": False}
    assert about["sampling"]["max_tokens"] == 7


@NEEDED
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"host": "0.0.0.0"}, "-M host=0.0.0.0: dtbench sets this"),
        ({"allowed_local_media_path": "/"}, "-M allowed_local_media_path=/: dtbench sets this"),
        ({"load_format": "pt"}, "-M load_format=pt: it may read pickles, and a pickle can run any code on this mach"),
        ({"start_timeout": "soon"}, "-M start_timeout=soon: a number is expected."),
        ({"start_timeout": "0"}, "-M start_timeout=0: above 0 is expected."),
        ({"--port": "1"}, "-M --port=1: not the name of a flag"),
        ({"absence": "9"}, "-M absence=9: vLLM has no option 'absence'. It is called reconnect_timeout now."),
        ({"temperature": "hot"}, "-M temperature=hot: a number is expected."),
        ({"family": "qwen2"}, "-M family=qwen2: unknown. Did you mean qwen2-audio"),
    ],
)
def test_what_vllm_is_not_given_is_one_line(checkpoint: Path, options: dict[str, str], complaint: str) -> None:
    with pytest.raises(UserError) as raised:
        open_model(str(checkpoint), options)
    assert complaint in str(raised.value)


@NEEDED
def test_the_model_in_the_box_runs_in_float32_with_either() -> None:
    vllm, local = described("mini"), described("mini", "local")
    assert vllm["flags"]["dtype"] == "float32"
    assert (vllm["sampling"]["max_tokens"], local["max_tokens"]) == (256, 256)
    assert vllm["model"] == local["model"] == "mini"
    assert vllm["content"] == local["content"]


def test_a_backend_that_is_none_is_one_line(checkpoint: Path) -> None:
    with pytest.raises(UserError, match=r"--backend vlm: unknown\. Did you mean vllm"):
        open_model(str(checkpoint), {}, backend="vlm")
    with pytest.raises(UserError, match="--backend local: this option is for checkpoints"):
        open_model("http://127.0.0.1:1/v1", {}, backend="local")


def test_a_family_that_does_not_run_here_says_what_remains(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[mine]\nhub_id = "me/mine"\nbackends = ["endpoint"]\ninstead = "serve it with its own code"\n')
    with pytest.raises(UserError, match="does not run here with vLLM or transformers: serve it with its own code"):
        open_model(str(mine), {})
    mine.write_text('[mine]\nhub_id = "me/mine"\nbackends = ["local"]\n')
    with pytest.raises(UserError, match="does not run here with vllm: take --backend local"):
        open_model(str(mine), {}, backend="vllm")


@NEEDED
def test_a_table_of_the_user_is_laid_over_that_of_the_family(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        '[mine]\nhub_id = "me/mine"\nextra = { ignore_eos = true, mm_processor_kwargs = { a = 1 } }\n'
        "[mine.think]\nchat_template_kwargs = { enable_thinking = true, depth = 2 }\n"
    )
    model = open_model(str(mine), {"chat_template_kwargs": '{"depth": 3}', "temperature": "0"}, style="think")
    sampling = model.describe()["sampling"]
    assert sampling["chat_template_kwargs"] == {"enable_thinking": True, "depth": 3}
    assert sampling["ignore_eos"] is True
    assert (sampling["temperature"], sampling["max_tokens"]) == (0.0, 8192)


@NEEDED
def test_max_completion_tokens_leave_no_default_for_max_tokens(checkpoint: Path) -> None:
    model = open_model(str(checkpoint), {"max_completion_tokens": "9"}, style="direct")
    assert model.describe()["sampling"] == {"temperature": 0.0, "max_completion_tokens": 9}


@NEEDED
def test_a_flag_of_a_family_may_name_the_checkpoint(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[mine]\nhub_id = "me/mine"\nserve = { chat_template = "{checkpoint}/audio.jinja" }\n')
    assert described(mine)["flags"] == {"chat_template": "me/mine/audio.jinja"}


@NEEDED
def test_an_adapter_is_no_flag_of_vllm(checkpoint: Path, tmp_path: Path) -> None:
    """vLLM takes the flags, and requests are answered by the base."""
    mine = tmp_path / "mine.toml"
    mine.write_text('[mine]\nhub_id = "me/mine"\nserve = { default_mm_loras = "{}" }\n')
    with pytest.raises(UserError, match=r"default_mm_loras=.*: an adapter is named by -M adapter=FOLDER"):
        open_model(str(mine), {})
    for flag in ("enable_lora=true", "lora_modules=x=/there", 'default_mm_loras={"audio": "/there"}'):
        name, _, text = flag.partition("=")
        with pytest.raises(UserError, match="an adapter is named by -M adapter=FOLDER"):
            open_model(str(checkpoint), {name: text})


@NEEDED
def test_an_adapter_that_vllm_alone_can_apply_is_never_left_out(checkpoint: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "tuned"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(checkpoint)}))
    assert described(adapter, adapter_mode="serve")["adapter"]["mode"] == "serve"
    assert described(adapter, "local")["adapter"]["mode"] == "merge"
    with pytest.raises(UserError, match="vLLM alone applies an adapter beside its base"):
        open_model(str(adapter), {"adapter_mode": "serve"}, backend="local")


@NEEDED
def test_none_takes_a_default_back(checkpoint: Path) -> None:
    model = open_model(str(checkpoint), {"max_tokens": "none", "temperature": "none"}, style="direct")
    assert model.describe()["sampling"] == {}
