"""Registries keep order, refuse doubles, and propose the nearest name."""

import pytest

from flawsmith.core.errors import FlawsmithError, RegistryError
from flawsmith.core.registry import Registry, unknown


@pytest.fixture
def shapes() -> Registry[str]:
    registry: Registry[str] = Registry("mask shape")
    for name in ("scratch", "crack", "blob"):
        assert registry.register(name)(name.upper()) == name.upper()
    return registry


def test_parts_are_found_in_order(shapes):
    assert list(shapes) == ["scratch", "crack", "blob"]
    assert len(shapes) == 3
    assert "crack" in shapes
    assert "crak" not in shapes
    assert shapes["blob"] == "BLOB"


@pytest.mark.parametrize(("name", "near"), [("scrach", "scratch"), ("Crack", "crack"), ("blobs", "blob")])
def test_a_miss_proposes_the_nearest_and_lists_what_is_known(shapes, name, near):
    with pytest.raises(RegistryError) as caught:
        shapes[name]
    said = str(caught.value)
    assert said == f"unknown mask shape {name!r}; did you mean {near!r}? known: scratch, crack, blob"


def test_nothing_near_proposes_nothing(shapes):
    with pytest.raises(LookupError, match="unknown mask shape 'xyz'; known: scratch"):
        shapes["xyz"]
    with pytest.raises(FlawsmithError, match="known: none"):
        Registry("gate")["visible"]


def test_a_name_is_taken_once(shapes):
    with pytest.raises(RegistryError, match="mask shape 'crack' is registered twice"):
        shapes.register("crack")("other")
    assert shapes["crack"] == "CRACK"


def test_registries_do_not_share_parts(shapes):
    assert "blob" not in Registry("mask shape")


def test_names_need_not_be_text():
    assert unknown("depth", "9", [8, 16]) == "unknown depth '9'; known: 8, 16"
