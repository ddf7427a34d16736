"""Write docs/settings.md from the settings models: every key of a run with its default and meaning.

`python docs/make_settings.py` writes the page; with `--check` it only says (exit code 1) if the page is not up to date.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel

from flawsmith.core.settings import nested_model
from flawsmith.data.writers import WRITERS
from flawsmith.inspectors import INSPECTORS
from flawsmith.recipes.settings import RunSettings

HERE = Path(__file__).parent
PAGE, HEAD = HERE / "settings.md", HERE / "settings_head.md"

WORDS = {
    "RunSettings.seed": "seed of the generator's training; each stage that draws lots has a seed key of its own",
    "RunSettings.generator": "registered name of the generator that makes the images whose use is judged",
    "DemoSettings.channels": "1 grey, 3 RGB",
    "DemoSettings.seed": "decides every picture of the demo set",
    "SplitSettings.seed": "decides which groups go where (grouped only)",
    "LocalSettings.label_dropout": "share of training crops without their class, which classifier-free guidance needs",
    "LocalSettings.guide_dropout": "share of training crops without guide vector, so that it may be left out",
    "SamplingSettings.sampler": "registered name: heun, dpmpp_2m, euler, euler_ancestral",
    "SamplingSettings.sigma_max": "highest noise level, in units of the normalised image",
    "SamplingSettings.sigma_min": "lowest noise level before 0",
    "PlanSettings.most_defects": "most defects in one image",
    "PlanSettings.seed": "every image's own seed is derived from it, the class, the slot and the attempt",
    "ProofSettings.min_steps": "steps before which the base arm is not asked whether it has converged",
    "ProofSettings.max_steps": "steps at which training ends even if it has not converged",
    "ExportSettings.formats": f"registered names: {', '.join(WRITERS)}",
}
"""Meanings of keys whose model says none. A key that gains a meaning in the code must leave this table."""

INSPECTOR_WORDS = (
    "Options of the inspectors that the proof trains, set under `proof.inspector_options`, for example "
    "`proof.inspector_options.width=24`. A proof sets `steps` itself, and takes `cycle` from `proof.check_every` and "
    "`synthetic_share` from `proof.synthetic_share` unless they are given here."
)


def attribute_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return the string that stands below each field of a model, by field name."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if is_text and isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            found[field.target.id] = " ".join(str(after.value.value).split())  # type: ignore[attr-defined]
    return found


def meaning(model: type[BaseModel], name: str) -> str:
    """Return what a field means: its description, its docstring, that of the model it is inherited from, or `WORDS`."""
    said = model.model_fields[name].description or attribute_docstrings(model).get(name)
    key = f"{model.__name__}.{name}"
    if said and key in WORDS:
        raise SystemExit(f"{key} says itself what it means: take it out of WORDS in {__file__}")
    if said or key in WORDS:
        return said or WORDS[key]
    for base in model.__mro__[1:]:
        if issubclass(base, BaseModel) and name in base.model_fields:
            return meaning(base, name)
    raise SystemExit(f"{key} has no meaning: give its field a description or a docstring")


def kind(annotation: Any) -> str:
    """Word a type for people: `int`, `auto or number`, `list of text`."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(kind(part) for part in parts))
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if hasattr(annotation, "__metadata__"):
        return kind(parts[0])
    if origin is tuple:
        return f"list of {kind(parts[0])}" if parts[1:] == (...,) else f"{len(parts)} × {kind(parts[0])}"
    if origin is dict:
        return f"{kind(parts[0])} → {kind(parts[1])}"
    plain = {int: "integer", float: "number", bool: "true or false", str: "text", Path: "path", type(None): "nothing"}
    return plain.get(annotation, "anything")


def bounds(model: type[BaseModel], name: str) -> str:
    """Word the range that a field's value must keep."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = []
    for rule in model.model_fields[name].metadata:
        if isinstance(rule, annotated_types.BaseMetadata):
            found += [f"{sign} {getattr(rule, word):g}" for word, sign in signs.items() if hasattr(rule, word)]
    return ", ".join(found)


def shown(value: Any) -> str:
    """Return a default as it is written in YAML."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:.4g}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    if isinstance(value, dict):
        return f"`{{{', '.join(f'{key}: {each}' for key, each in value.items())}}}`"
    return f"`{value}`"


def rows(settings: BaseModel, prefix: str = "") -> Iterator[str]:
    """Yield a table row for every key of a settings object, its sections' keys included."""
    model = type(settings)
    for name, field in model.model_fields.items():
        value = getattr(settings, name)
        if nested_model(field.annotation) and isinstance(value, BaseModel):
            yield from rows(value, f"{prefix}{name}.")
            continue
        words = meaning(model, name).rstrip(".").replace("|", "\\|")
        said = words[:1].upper() + words[1:]
        limits = ", ".join(filter(None, [kind(field.annotation), bounds(model, name)]))
        yield f"| `{prefix}{name}` | {shown(value)} | {limits} | {said} |"


def table(lines: list[str]) -> str:
    """Return a Markdown table of rows."""
    return "\n".join(["| key | default | value | meaning |", "|---|---|---|---|", *lines]) + "\n"


def page() -> str:
    """Return the whole page."""
    settings = RunSettings()
    plain = [name for name in RunSettings.model_fields if not isinstance(getattr(settings, name), BaseModel)]
    everything = list(rows(settings))
    parts = [HEAD.read_text(encoding="utf-8").rstrip(), "## The run itself"]
    parts.append(table([row for row in everything if row.split("`")[1] in plain]))
    for name in RunSettings.model_fields:
        if name not in plain:
            said = " ".join((inspect.getdoc(type(getattr(settings, name))) or "").split())
            parts += [f"## `{name}`", said, table([row for row in everything if row.startswith(f"| `{name}.")])]
    parts += ["## Inspectors", INSPECTOR_WORDS]
    for name in INSPECTORS:
        parts += [f"### `{name}`", table(list(rows(INSPECTORS[name].settings())))]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def main() -> None:
    """Write the page, or check it."""
    text = page()
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        raise SystemExit(f"{PAGE} is not up to date: run python {Path(__file__).name}")


if __name__ == "__main__":
    main()
