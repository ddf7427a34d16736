"""The public names: exactly these, all importable, all documented."""

import importlib
import inspect
import subprocess
import sys
from importlib.metadata import version

import pytest

import flawsmith

PUBLIC = [
    "__version__",
    "Catalog",
    "Defect",
    "Entry",
    "FlawsmithError",
    "Run",
    "RunSettings",
    "Sample",
    "VoteSettings",
    "Votes",
    "load_sample",
    "read_catalog",
    "remake",
    "run",
    "votes",
]
"""A name added or removed here is a change of the public interface: say so in the CHANGELOG."""


def test_the_public_names_are_these():
    assert sorted(flawsmith.__all__) == sorted(PUBLIC)
    assert len(set(flawsmith.__all__)) == len(flawsmith.__all__)


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "__version__"])
def test_a_public_name_resolves_and_is_documented(name):
    found = getattr(flawsmith, name)
    assert inspect.isclass(found) or callable(found)
    assert found.__name__ == name
    text = inspect.getdoc(found)
    assert text
    assert text.splitlines()[0].endswith((".", ":"))
    assert found is getattr(importlib.import_module(found.__module__), name)


@pytest.mark.parametrize("name", ["run", "remake", "load_sample", "read_catalog", "votes"])
def test_public_functions_are_annotated(name):
    signature = inspect.signature(getattr(flawsmith, name))
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty


def test_the_version_is_the_installed_one():
    assert flawsmith.__version__ == version("flawsmith")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        flawsmith.no_such_name  # noqa: B018


def test_names_can_be_imported_with_a_star_and_every_order_works():
    code = "from flawsmith import *; print(run.__name__, Sample.__name__, read_catalog.__name__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["run", "Sample", "read_catalog"]


@pytest.mark.parametrize("first", ["flawsmith.recipes.run", "flawsmith.recipes.remake", "flawsmith.data.readers"])
def test_importing_a_room_first_does_not_shadow_a_public_name(first):
    code = f"import {first}, flawsmith; print(*(inspect.isroutine(getattr(flawsmith, n)) for n in ('run', 'remake')))"
    command = [sys.executable, "-c", f"import inspect; {code}"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["True", "True"]


def test_every_error_is_one_of_ours():
    errors = importlib.import_module("flawsmith.core.errors")
    found = [each for _, each in inspect.getmembers(errors, inspect.isclass)]
    assert len(found) > 8
    assert all(issubclass(each, flawsmith.FlawsmithError) and inspect.getdoc(each) for each in found)
