"""The layouts of data sets, shown on request."""

from __future__ import annotations

import textwrap

import typer


def show_layouts(wanted: bool) -> None:
    """Print every layout with its example and end the command, if that is wanted."""
    if not wanted:
        return
    from flawsmith.data.readers.layouts import layouts

    for each in layouts():
        typer.echo(f"{each.name}: {each.summary}\n")
        typer.echo(textwrap.indent(each.example, "    ") + "\n" if each.example else "")
    raise typer.Exit
