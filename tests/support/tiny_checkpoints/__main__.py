"""Writes a few MB of random weights in a true architecture: `python -m tiny_checkpoints NAME FOLDER [NAME FOLDER ...]`.

transformers and vLLM load it as they load the released model.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tiny_checkpoints.catalogue import TINY

for name, folder in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    TINY[name].write(Path(folder))
