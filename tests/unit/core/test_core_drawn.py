"""Masks in numbers check themselves and go through JSON."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flawsmith.core.drawn import DrawnMask
from flawsmith.core.errors import DataError
from flawsmith.core.records import Catalog, Entry, MaskFile

ROOT = Path("/data/set")
OUTLINE = (0.1, 2.0, 1 / 3, 1e-9, 7.0, 5.25)
MASKS = (
    DrawnMask(ROOT / "a.json", "pit", "polygons", (OUTLINE, OUTLINE[::-1]), size_hw=(8, 9)),
    DrawnMask(ROOT / "a.csv", "1", "runs", ((0, 3, 2**31),)),
    DrawnMask(Path("/elsewhere/a.txt"), "größer", "box", ((0.0, 0.25, 0.5, 1.0),), relative=True),
    MaskFile(ROOT / "m" / "1.png", "pit", 1, 7),
)


def test_both_kinds_of_masks_go_through_json_unharmed():
    before = Catalog("set", ROOT, "coco", (Entry("a", ROOT / "a.png", "pit", "a", MASKS),))
    assert Catalog.from_json(json.loads(json.dumps(before.to_json()))) == before
    moved = Catalog.from_json({**before.to_json(), "root": "/new"}).entries[0].masks
    assert [mask.path.as_posix() for mask in moved] == ["/new/a.json", "/new/a.csv", "/elsewhere/a.txt", "/new/m/1.png"]


def test_catalogs_written_before_there_were_drawn_masks_are_read():
    row = {"id": "a", "image": "a.png", "label": "pit", "group": "a", "split": None}
    masks = [{"path": "m/1.png", "label": "pit", "threshold": 128, "value": None}]
    old = {"name": "set", "root": "/data/set", "layout": "folder", "entries": [{**row, "masks": masks}]}
    assert Catalog.from_json(old).entries[0].masks == (MaskFile(ROOT / "m/1.png", "pit"),)


def test_only_boxes_are_approximate():
    assert [mask.approximate for mask in MASKS[:3]] == [False, False, True]


@pytest.mark.parametrize(
    ("mask", "wrong", "message"),
    [
        (MASKS[0], {"numbers": ((0.0, 1.0, 2.0, 3.0),)}, "at least 3 corners, got 4"),
        (MASKS[0], {"numbers": ((0.0,) * 7,)}, "at least 3 corners, got 7"),
        (MASKS[0], {"numbers": ()}, "got 0 rows"),
        (MASKS[0], {"numbers": ((*OUTLINE[:5], float("nan")),)}, "got nan"),
        (MASKS[0], {"numbers": ((*OUTLINE[:5], 1e7 + 1),)}, "at most 10000000"),
        (MASKS[0], {"label": ""}, "empty name"),
        (MASKS[0], {"kind": "circle"}, "'circle'"),
        (MASKS[1], {"numbers": ((0, -1),)}, "whole numbers from 0, got -1"),
        (MASKS[1], {"numbers": ((0, 1.5),)}, "whole numbers from 0, got 1.5"),
        (MASKS[1], {"numbers": ((0, 1), (2, 3))}, "got 2 rows"),
        (MASKS[2], {"numbers": ((0.5, 0.0, 0.5, 1.0),)}, "x0 < x1 and y0 < y1, got x 0.5 to 0.5"),
        (MASKS[2], {"numbers": ((0.5, 0.0, 1.0),)}, "x0, y0, x1, y1, got 3"),
        (MASKS[2], {"numbers": ((0.0, 0.0, 1.0, 11.0),)}, "at most 10, got 11.0"),
    ],
)
def test_numbers_that_are_no_mask_are_refused(mask, wrong, message):
    with pytest.raises(DataError, match=message):
        replace(mask, **wrong)
