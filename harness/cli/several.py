"""Commands of dtbench one after the other in one process, which imports what they need once: `several.py FILE`.

The file is a JSON list of command lines. A command that does not end well is the last, and its exit code is ours.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dtbench.harness.cli import main as command_line


def run_commands(file: Path) -> int:
    """Run them; each is to find its own command line in sys.argv, as it stores it."""
    for arguments in json.loads(file.read_bytes()):
        sys.argv = ["dtbench", *arguments]
        try:
            command_line.main()
        except SystemExit as ended:
            if ended.code:
                return int(ended.code)
    return 0


if __name__ == "__main__":
    sys.exit(run_commands(Path(sys.argv[1])))
