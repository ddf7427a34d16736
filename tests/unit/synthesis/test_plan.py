"""Quotas, orders and the number of defects in an image."""

from pathlib import Path

import numpy as np
import pytest

from flawsmith.core.errors import SettingsError
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.synthesis.plan import PlanSettings, drawn_labels, order, orders, quotas


def catalog(good: int = 90, scratch: int = 6, stain: int = 4) -> Catalog:
    rows = [(GOOD, good), ("scratch", scratch), ("stain", stain)]
    entries = [
        Entry(f"{label}/{n}", Path(f"{label}{n}.png"), label, f"{label}{n}")
        for label, count in rows
        for n in range(count)
    ]
    return Catalog("test", Path(), "folder", tuple(entries))


def test_a_number_for_all_a_number_each_or_a_ratio():
    assert quotas(catalog(), PlanSettings(per_class=7)) == {"scratch": 7, "stain": 7}
    assert quotas(catalog(), PlanSettings(per_class={"stain": 3})) == {"stain": 3}
    by_ratio = quotas(catalog(), PlanSettings(good_per_defect=2.0))
    assert sum(by_ratio.values()) + 10 == 45
    assert quotas(catalog(), PlanSettings(good_per_defect=100.0)) == {"scratch": 0, "stain": 0}


def test_a_misspelt_class_is_proposed():
    with pytest.raises(SettingsError, match="did you mean 'stain'"):
        quotas(catalog(), PlanSettings(per_class={"stains": 3}))


def test_orders_fill_every_slot_once_and_each_attempt_has_its_own_seed():
    made = orders({"scratch": 3, "stain": 1}, 5)
    assert sorted(each.id for each in made) == ["scratch/00000", "scratch/00001", "scratch/00002", "stain/00000"]
    again = made[0].next(5)
    assert again == order("scratch", 0, 1, 5)
    assert len({each.seed for each in [*made, again]}) == 5


def test_more_defects_come_at_the_rate_asked_for():
    plan = PlanSettings(more_defects=0.3, most_defects=3)
    counts = [len(drawn_labels(order("scratch", slot, 0, 0), ("scratch", "stain"), plan)) for slot in range(2000)]
    assert max(counts) == 3
    assert np.mean(np.array(counts) > 1) == pytest.approx(0.3, abs=0.04)
    alone = PlanSettings(more_defects=0.0)
    assert drawn_labels(order("stain", 0, 0, 0), ("scratch", "stain"), alone) == ["stain"]
