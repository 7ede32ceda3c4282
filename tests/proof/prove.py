"""Print the finished trainings of one recipe as Markdown: tables by arm and seed, and the bars of the proof."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dtbench.harness.core.errors import DtbenchError, one_line


def main() -> None:
    """Print the report on the trainings that the command line names."""
    from tables import report
    from trained import read

    parser = argparse.ArgumentParser(prog="prove.py", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="The --out of a finished `dtbench train`.")
    try:
        print("\n".join(report(read(parser.parse_args().runs))))
    except DtbenchError as error:
        print(f"dtbench: {one_line(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
