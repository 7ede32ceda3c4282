"""The server of `dtbench view`: GET only, for whoever reaches it by an address and not by a name that was rebound.

aiohttp, which dtbench has for its endpoints: an open event stream costs a coroutine there and a thread in http.server,
whose documentation advises against serving with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dtbench.harness.core.errors import DtbenchError, UserError, one_line
from dtbench.harness.view.html import index_page
from dtbench.harness.view.index import RunIndex
from dtbench.harness.view.pages import ClipAddress, Names, ReportPages
from dtbench.harness.view.types import IndexChange, IndexedRun

if TYPE_CHECKING:
    from aiohttp import web

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

EVERY = 1.0
"""Seconds between two looks at the runs while somebody looks at a page."""
_PING = 15.0
_MOST_RUNS = 100
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(slots=True)
class Looker:
    """Looks at the runs again while anybody asks, at most once in EVERY seconds."""

    index: RunIndex
    rows: Mapping[str, IndexedRun]
    looked: float = -EVERY
    took: float = 0.0
    lock: asyncio.Lock | None = None

    async def current(self) -> Mapping[str, IndexedRun]:
        """Return a row for each run."""
        self.lock = self.lock or asyncio.Lock()
        async with self.lock:
            loop = asyncio.get_running_loop()
            # A slow disk is not kept busy.
            if loop.time() - self.looked >= max(EVERY, 4 * self.took):
                begun = loop.time()
                self.rows = await asyncio.to_thread(self.index.update)
                self.looked, self.took = loop.time(), loop.time() - begun
        return self.rows


class ViewServer:
    """Serves the list of runs, reports of chosen ones, their clips, and what changes of all that."""

    def __init__(self, index: RunIndex, pages: ReportPages, host: str) -> None:
        self._looker, self._index, self._pages, self._host = Looker(index, {}), index, pages, host
        self._ending = asyncio.Event()

    def app(self) -> web.Application:
        """Return the application."""
        from aiohttp import web

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guarded(request, handler)

        app = web.Application(middlewares=[guard], client_max_size=1)
        for path, handler in {
            "/": self._list,
            "/report": self._report,
            "/change": self._change,
            "/clip": self._clip,
            "/events": self._events,
        }.items():
            app.router.add_get(path, handler, allow_head=False)
        app.on_shutdown.append(self._end)
        return app

    async def _end(self, _: web.Application) -> None:
        self._ending.set()

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        from aiohttp import web

        if not is_own_host(request.headers.get("Host", ""), self._host):
            return _plain(421, "This server answers to its address and to localhost, not to other names.")
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = _plain(error.status, error.reason)
            if error.status == web.HTTPMethodNotAllowed.status_code:
                response.headers["Allow"] = "GET"
        except DtbenchError as error:
            response = _plain(409, one_line(str(error)))
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    async def _list(self, _: web.Request) -> web.Response:
        rows = await self._looker.current()
        page = index_page({"folder": str(self._index.folder), "runs": list(rows.values())})
        return _html(page)

    async def _names(self, request: web.Request) -> Names:
        from aiohttp import web

        names = tuple(dict.fromkeys(request.query.getall("run", [])))
        rows = await self._looker.current()
        if not 0 < len(names) <= _MOST_RUNS or any(name not in rows for name in names):
            raise web.HTTPNotFound(reason="There is no such run.")
        return names

    async def _report(self, request: web.Request) -> web.Response:
        names = await self._names(request)
        return _html(await asyncio.to_thread(self._pages.page, names))

    async def _change(self, request: web.Request) -> web.Response:
        names = await self._names(request)
        change = await asyncio.to_thread(self._pages.change, names, request.query.get("since", ""))
        response = _text(json.dumps(change), "application/json")
        response.enable_compression()
        return response

    async def _clip(self, request: web.Request) -> web.Response:
        from aiohttp import web

        names, query = await self._names(request), request.query
        address = ClipAddress(query.get("task", ""), query.get("id", ""), query.get("hash", ""))
        found = await asyncio.to_thread(self._pages.clip, names, address)
        if found is None or isinstance(found, str):
            raise web.HTTPNotFound(reason="There is no such clip." if found is None else "The clip cannot be played.")
        return web.Response(body=found[0], content_type=found[1])

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Stream what changes: of the list of runs, or that a report with these runs has changed."""
        from aiohttp import web

        watched = self._report_changes(request) if "run" in request.query else self._list_changes()
        if "run" in request.query:
            await self._names(request)
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        quiet = 0.0
        with contextlib.suppress(ConnectionError):
            async for data in watched:
                if data is not None or quiet >= _PING:
                    text = ": still here\n\n" if data is None else f"data: {json.dumps(data)}\n\n"
                    await response.write(text.encode())
                    quiet = 0.0
                quiet += EVERY
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), EVERY)
                if self._ending.is_set():
                    break
        return response

    async def _list_changes(self) -> AsyncIterator[IndexChange | None]:
        sent: dict[str, IndexedRun] = {}
        while True:
            rows = await self._looker.current()
            changed = [row for name, row in rows.items() if sent.get(name) != row]
            gone = [name for name in sent if name not in rows]
            sent = dict(rows)
            yield IndexChange(runs=changed, gone=gone) if changed or gone else None

    async def _report_changes(self, request: web.Request) -> AsyncIterator[dict[str, Any] | None]:
        version = request.query.get("since", "")
        names = tuple(dict.fromkeys(request.query.getall("run", [])))
        while True:
            due = False
            with contextlib.suppress(OSError):  # a run that was moved away
                due = await asyncio.to_thread(self._pages.is_due, names, version)
            if due:
                with contextlib.suppress(DtbenchError, OSError):
                    version = (await asyncio.to_thread(self._pages.change, names, version))["version"]
            yield {"version": version} if due else None


def is_own_host(header: str, host: str) -> bool:
    """Whether a Host header is an address, localhost or the name that is served: a rebound name is none of them."""
    try:
        name = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    if name in {"localhost", host.lower(), os.uname().nodename.lower()}:
        return True
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _plain(status: int, text: str) -> web.Response:
    response = _text(f"{text}\n", "text/plain")
    response.set_status(status)
    response.headers.update(HEADERS)
    return response


def _html(page: bytes) -> web.Response:
    from aiohttp import web

    response = web.Response(body=page, content_type="text/html", charset="utf-8")
    response.enable_compression()
    return response


def _text(text: str, kind: str) -> web.Response:
    from aiohttp import web

    return web.Response(text=text, content_type=kind, charset="utf-8")


async def serve(server: ViewServer, host: str, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve until cancelled; `ready` gets the address. A UserError where the port is not to be had."""
    from aiohttp import web

    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        url = await _listening(runner, host, port)
        ready(url)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


USUAL_PORT = 8642


async def _listening(runner: web.AppRunner, host: str, port: int | None) -> str:
    """Listen on the port; where none was asked for, on the usual one, or on a free one where that is taken."""
    from aiohttp import web

    for wanted in (USUAL_PORT, 0) if port is None else (port,):
        try:
            site = web.TCPSite(runner, host, wanted)
            await site.start()
        except OSError as error:
            if port is None and wanted:
                continue
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            raise UserError(
                f"--host {host} --port {wanted}: nothing can listen there ({reason}); name another port or host, or "
                f"leave both out."
            ) from None
        bound = runner.addresses[-1]
        return f"http://{f'[{host}]' if ':' in host else host}:{bound[1]}/"
    raise UserError(f"--host {host}: nothing can listen there.")
