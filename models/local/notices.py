"""Collect the warnings of transformers: one can be the only sign of other answers."""

from __future__ import annotations

import logging
import re
import threading

HARMLESS = re.compile(
    "|".join(
        (
            r"Setting `pad_token_id` to `eos_token_id`",  # answers are padded behind their end
            r"must be `None` or an integer within the vocabulary",  # ids of parts that do not write
            r"Unrecognized keys in `rope_parameters`",  # read by the model itself
            r"generation flags are not valid and may be ignored",  # dtbench samples itself
            r"`generation_config` default values have been modified",
            r"You have modified the pretrained model configuration to control generation",
            r"Both `max_new_tokens` .* and `max_length`",
            r"_class = '.*'`, which is deprecated",  # of processors, and they are loaded
            r"Special tokens have been added in the vocabulary",
            r"Using a slow image processor|slow version of this processor|use_fast",
            r"^It is strongly recommended to pass the `sampling_rate` argument",  # the rate is checked at the start
        )
    )
)
"""Warnings that stand for no other answer."""
_SHOWN = 300


class TransformersNotices(logging.Handler):
    """A handler of transformers' log that keeps each warning once, in place of printing it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: list[str] = []
        self._seen: set[str] = set()
        self._guard = threading.Lock()

    def attach(self) -> None:
        """Take the place of transformers' own handler, which prints."""
        import transformers

        transformers.logging.disable_progress_bar()
        transformers.logging.set_verbosity_warning()
        transformers.logging.disable_default_handler()
        transformers.logging.add_handler(self)

    def detach(self) -> None:
        """Leave the log to transformers' own handler, unless another model still takes its place."""
        import transformers

        log = logging.getLogger(transformers.__name__)
        log.removeHandler(self)
        if not any(isinstance(handler, TransformersNotices) for handler in log.handlers):
            transformers.logging.enable_default_handler()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a warning that is new."""
        line = " ".join(record.getMessage().split())
        with self._guard:
            if line and line not in self._seen and HARMLESS.search(line) is None:
                self._lines.append(line if len(line) <= _SHOWN else f"{line[:_SHOWN]}...")
            self._seen.add(line)

    def take(self) -> list[str]:
        """Return the warnings since the last call."""
        with self._guard:
            lines, self._lines = self._lines, []
        return lines
