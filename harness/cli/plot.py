"""`dtbench plot`: a picture of runs for a paper or a slide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dtbench.harness.cli.terminal import print_line
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.options import OUTPUT, AsJson, Option
from dtbench.harness.plot.request import FORMATS, PlotOptions
from dtbench.harness.store.table_types import WrittenPicture

Out = Annotated[
    Path | None,
    Option("--out", "FILE", "The figure: an .svg, .png or .pdf file.", panel=OUTPUT, shown="KIND.svg"),
]


@with_options
def plot_command(options: PlotOptions, out: Out = None, as_json: AsJson = False) -> None:
    """Draw runs for a paper or a slide: groups, reasoning, calibration, a training, or nightly runs.

    The same runs give a byte-identical file. Needs matplotlib (the extra `analysis`).
    """
    out = out or Path(f"{options.kind}.svg")
    ending = out.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        allowed = ", ".join(f".{one}" for one in FORMATS)
        raise UserError(f"--out {out}: the extension sets the format, and {ending or 'none'} is not one of {allowed}.")
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: the folder {out.parent} does not exist; create it, or name another.")

    from dtbench.harness.plot.look import picture_bytes
    from dtbench.harness.plot.picture import draw_picture
    from dtbench.harness.store.atomic import replace_whole

    picture = picture_bytes(draw_picture(options), ending)
    replace_whole(out, picture)
    if as_json:
        written: WrittenPicture = {"path": str(out), "kind": options.kind, "size": len(picture)}
        typer.echo(json.dumps(written))
    else:
        print_line(f"picture {out} ({options.kind}, {len(picture) / 1000:.1f} kB)")
