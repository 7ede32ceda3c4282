"""A group of tasks whose failure is told in one line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from dtbench.harness.core.errors import DtbenchError


@contextlib.asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """Tasks that end together; a DtbenchError among what they raise comes out as itself, not as one of a group."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except ExceptionGroup as errors:
        raise next((one for one in errors.exceptions if isinstance(one, DtbenchError)), errors) from None
