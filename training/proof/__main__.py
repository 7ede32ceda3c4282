"""`python -m dtbench.training.proof RUN...`: finished trainings of one recipe, by seed and arm, as Markdown."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dtbench.harness.core.errors import DtbenchError, one_line


def main() -> None:
    """Read the command line."""
    from dtbench.training.proof.markdown import report
    from dtbench.training.proof.trained import read

    parser = argparse.ArgumentParser(prog="python -m dtbench.training.proof", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="The --out of a finished `dtbench train`.")
    try:
        print("\n".join(report(read(parser.parse_args().runs))))
    except DtbenchError as error:
        print(f"dtbench: {one_line(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
