"""`dtbench plot`: a picture of runs for a paper or a slide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dtbench.harness.cli.terminal import print_line
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.options import OUTPUT, AsJson, Option
from dtbench.harness.core.output_paths import refuse_no_file, suffix_of
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
    ending = suffix_of("--out", out, FORMATS)
    refuse_no_file("--out", out)

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
