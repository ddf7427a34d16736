"""The commands of flawsmith: thin doors that call recipes. Nothing here imports torch before a command runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawsmith import __version__
from flawsmith.apps.cli.layouts import show_layouts
from flawsmith.core.errors import FlawsmithError, SettingsError

if TYPE_CHECKING:
    from flawsmith.recipes.settings import RunSettings

os.environ.setdefault("HF_HUB_OFFLINE", "1")

app = typer.Typer(
    name="flawsmith",
    help="Learns what your defects look like, makes labelled ones, and proves whether they help.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

EXTRA = {"allow_extra_args": True, "ignore_unknown_options": True}

Data = Annotated[
    str,
    typer.Argument(metavar="DATA", help="Folder of images, a zip, tar or tar.gz of it, or demo for the built-in set."),
]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Run folder: a folder per stage is made in it.")]
Config = Annotated[Path | None, typer.Option("--config", "-c", metavar="YAML", help="File of settings.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Print = Annotated[bool, typer.Option("--print-config", help="Print the resolved settings as YAML and stop.")]
Layouts = Annotated[
    bool,
    typer.Option("--layouts", is_eager=True, callback=show_layouts, help="List how DATA may be laid out, and stop."),
]
Fix = Annotated[Path | None, typer.Option("--fix", metavar="DIR", help="Write a cleaned copy of DATA there.")]

DEFAULT_OUT = Path("runs/flawsmith")
ROUTE = {
    "run": ("report", "The whole way: check, split, fit, generate, filter, export, quality, prove, report."),
    "split": ("split", "Split into training, validation and sealed test part, groups kept together."),
    "fit": ("fit", "Learn the defects from the training part."),
    "generate": ("generate", "Make labelled synthetic defect images."),
    "filter": ("filter", "Choose the synthetic images that are good enough."),
    "export": ("export", "Write real and synthetic images in the formats of other tools."),
    "quality": ("quality", "Measure how near the synthetic defects are to real ones, by a named network."),
    "prove": ("prove", "Train inspectors with and without synthetic images; compare on sealed real ones."),
}
USUAL = "split.shots=10 local.loop.steps=2000"
EXAMPLES = {
    "filter": ("filter.by_hand=verdicts.csv",),
    **dict.fromkeys(("run", "fit", "generate"), (USUAL, "generator=ddpm ddpm.epochs=1300")),
}
"""Settings shown in a command's help, where others than the usual ones tell more."""


def _command(name: str, until: str, summary: str) -> None:
    def command(
        context: typer.Context,
        data: Data,
        out: Out = DEFAULT_OUT,
        config: Config = None,
        quiet: Quiet = False,
        print_config: Print = False,
    ) -> None:
        settings = _settings(context, out, config, print_config)
        from flawsmith.apps.cli.progress import Shown
        from flawsmith.recipes.run import run

        with Shown(quiet) as progress:
            done = run(data, out, settings=settings, until=until, progress=progress)
        if until == "report":
            typer.echo(f"{done.verdict}\nreport: {done.report.resolve()}")
        else:
            typer.echo("".join(f"{line}\n" for line in done.notes(until)) + f"{until}: {(out / until).resolve()}")

    command.__doc__ = _help(name, summary)
    app.command(name, context_settings=EXTRA)(command)


def _help(name: str, summary: str) -> str:
    return (
        f"{summary}\n\nStages already done on the same inputs are skipped; a killed one resumes. Any setting can be "
        f"given as key=value or --key value, with the names that --print-config shows.\n\n"
        f"Examples:\n\n    flawsmith {name} DATA --out DIR\n\n"
        + "\n\n".join(f"    flawsmith {name} DATA --out DIR {settings}" for settings in EXAMPLES.get(name, (USUAL,)))
    )


def _settings(context: typer.Context, out: Path, config: Path | None, print_config: bool) -> RunSettings:
    """Return the run's settings, or print them and stop."""
    from flawsmith.recipes.run import run_settings

    settings = run_settings(out, config, pairs(context.args))
    if print_config:
        from flawsmith.core.settings import to_yaml

        typer.echo(to_yaml(settings), nl=False)
        raise typer.Exit
    return settings


@app.command(context_settings=EXTRA)
def check(
    context: typer.Context,
    data: Data,
    out: Out = DEFAULT_OUT,
    config: Config = None,
    quiet: Quiet = False,
    print_config: Print = False,
    fix: Fix = None,
    layouts: Layouts = False,
) -> None:
    """Read the data set and say what is wrong with it: a page with pictures, and a cleaned copy where asked.

    Any setting can be given as key=value or --key value, with the names that --print-config shows.

    Examples:
        flawsmith check DATA --out DIR

        flawsmith check DATA --out DIR --fix CLEANED data.layout=folder

        flawsmith check --layouts

    """
    settings = _settings(context, out, config, print_config)
    from flawsmith.apps.cli.progress import Shown
    from flawsmith.recipes.check import PAGE
    from flawsmith.recipes.fix import fix_data
    from flawsmith.recipes.outlook import foretell
    from flawsmith.recipes.run import run

    with Shown(quiet) as progress:
        if fix is None:
            run(data, out, settings=settings, until="check", progress=progress)
            typer.echo(foretell(out, settings).sentence)
        else:
            changes = fix_data(data, out, fix, settings=settings, progress=progress)
            typer.echo(f"{len(changes)} changes, listed in {(fix / 'fixed.csv').resolve()}")
    typer.echo(f"check: {(out / 'check' / PAGE).resolve()}")


for _name, (_until, _summary) in ROUTE.items():
    _command(_name, _until, _summary)


@app.command(context_settings=EXTRA)
def captions(
    context: typer.Context,
    data: Data,
    out: Out = DEFAULT_OUT,
    config: Config = None,
    quiet: Quiet = False,
    print_config: Print = False,
) -> None:
    """Find where in a repetitive pattern each image lies and write it as captions: x, y, name.

    Any setting can be given as key=value or --key value, with the names that --print-config shows.

    Examples:
        flawsmith captions DATA --out DIR

        flawsmith captions NEW --out DIR2 captions.like=DIR/captions

    """
    settings = _settings(context, out, config, print_config)
    from flawsmith.apps.cli.progress import Shown
    from flawsmith.recipes.captions import STAGE, caption_data

    with Shown(quiet) as progress:
        counts = caption_data(data, out, settings=settings, progress=progress).counts
    typer.echo(f"period: {counts['period_x_px']} x {counts['period_y_px']} pixels")
    typer.echo(f"{counts['captions']} of {counts['images']} images: {(out / STAGE).resolve()}")


@app.command(context_settings=EXTRA)
def linescan(
    context: typer.Context,
    lines: Annotated[Path, typer.Argument(metavar="LINES", help="Image whose rows are the lines in order of time.")],
    ticks: Annotated[Path, typer.Argument(metavar="TICKS", help="CSV with an encoder count per line.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="IMAGE", help="png or tiff; a report goes beside it.")],
    per_pixel: Annotated[float | None, typer.Option("--ticks-per-pixel", help="Ticks per pixel of travel.")] = None,
    pixel_um: Annotated[
        float | None, typer.Option("--pixel-um", help="Or: size of a pixel on the part, in µm.")
    ] = None,
    tick_um: Annotated[float | None, typer.Option("--tick-um", help="and travel per tick, in µm.")] = None,
) -> None:
    """Stitch the lines of a line-scan camera into an image with square pixels, and say what went wrong.

    The limits of what counts as wrong are given as key=value or --key value.

    Examples:
        flawsmith linescan LINES.png TICKS.csv --out IMAGE.png --ticks-per-pixel 4

        flawsmith linescan LINES.png TICKS.csv --out IMAGE.png --pixel-um 10 --tick-um 2.5 counter_bits=16

    """
    from flawsmith.core.settings import resolve
    from flawsmith.data.linescan import LineScanSettings, ticks_per_pixel
    from flawsmith.recipes.linescan import scan_image

    settings = resolve(LineScanSettings, None, pairs(context.args))
    if (per_pixel is None) == (pixel_um is None) or (pixel_um is None) != (tick_um is None):
        raise SettingsError("say how far a tick is: --ticks-per-pixel, or --pixel-um and --tick-um together")
    share = per_pixel if per_pixel is not None else ticks_per_pixel(pixel_um or 0.0, tick_um or 0.0)
    report = scan_image(lines, ticks, out, share, settings)
    for finding in report.findings:
        typer.echo(str(finding))
    typer.echo(f"{report.lines} lines, {report.rows} rows: {out.resolve()}")


@app.command()
def remake(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A synthetic PNG made by flawsmith.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE")] = Path("remade.png"),
    run: Annotated[Path | None, typer.Option("--run", metavar="DIR", help="Run folder, if not above IMAGE.")] = None,
) -> None:
    """Make one synthetic image again from its birth record, byte for byte on the same machine.

    Example:
        flawsmith remake DIR/generate/images/scratch/00001.png --out again.png

    """
    from flawsmith.recipes.remake import remake as again

    typer.echo(f"remade: {again(image, out, run).resolve()}")


@app.command(context_settings=EXTRA)
def votes(
    context: typer.Context,
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="Folder of images.")],
    by: Annotated[list[str], typer.Option("--by", metavar="NAME=PATH", help="Who, and their table or masks.")],
    out: Out = DEFAULT_OUT,
    config: Config = None,
    quiet: Quiet = False,
) -> None:
    """Count several inspectors' labels of the same images: majority, agreement, ambiguous images, suspects.

    PATH is a table (file, label; with x1, y1, x2, y2 and a row per box, if boxes were drawn) or a folder of masks named
    like the images; give both for a name if there are both. Settings are given as key=value.

    Example:
        flawsmith votes IMAGES --by anna=anna.csv --by ben=ben.csv --out DIR least_votes=2

    """
    from flawsmith.apps.cli.progress import Shown
    from flawsmith.core.settings import resolve
    from flawsmith.data.votes.settings import VoteSettings
    from flawsmith.recipes.votes import votes as count

    settings = resolve(VoteSettings, config, pairs(context.args))
    with Shown(quiet) as progress:
        done = count(images, inspectors(by), out, settings=settings, progress=progress)
    typer.echo(f"{done.summary}\nvotes: {done.page.resolve()}")


@app.command()
def schema() -> None:
    """Print the JSON schema of prove/results.json, for programs that read it.

    Example:
        flawsmith schema > results.schema.json

    """
    from flawsmith.core.files import json_text
    from flawsmith.proof.schema import results_schema

    typer.echo(json_text(results_schema()), nl=False)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def pairs(arguments: list[str]) -> list[str]:
    """Turn `key=value`, `--key=value` and `--key value` into `key=value`.

    >>> pairs(["split.shots=5", "--seed", "3"])
    ['split.shots=5', 'seed=3']
    """
    found, rest = [], list(arguments)
    while rest:
        word = rest.pop(0)
        if "=" in word:
            found.append(word.lstrip("-"))
        elif word.startswith("--") and rest:
            found.append(f"{word.lstrip('-')}={rest.pop(0)}")
        else:
            raise SettingsError(f"cannot make sense of {word!r}; settings are given as key=value or --key value")
    return found


def inspectors(given: list[str]) -> dict[str, list[Path]]:
    """Turn `NAME=PATH`, given once or several times for a name, into paths by name.

    >>> [len(paths) for paths in inspectors(["anna=a.csv", "anna=masks", "ben=b.csv"]).values()]
    [2, 1]
    """
    found: dict[str, list[Path]] = {}
    for each in given:
        name, _, path = each.partition("=")
        if not name or not path:
            raise SettingsError(f"expected --by NAME=PATH, got {each!r}; write for example --by anna=anna.csv")
        found.setdefault(name, []).append(Path(path))
    return found


def main() -> None:
    """Run the command line; errors of our own are one clear message and exit code 1 (2 for wrong settings)."""
    try:
        app(standalone_mode=True)
    except SettingsError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except FlawsmithError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from here", err=True)
        sys.exit(130)
