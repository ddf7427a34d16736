"""Making images from orders, on large backgrounds, with a classical generator."""

import dataclasses
import tracemalloc

import numpy as np
import pytest

from flawsmith.core.protocols import silent
from flawsmith.core.records import GOOD, Catalog, Entry
from flawsmith.core.rng import derive_seed
from flawsmith.data.demo import DemoSettings, write_demo
from flawsmith.data.image_io import write_image
from flawsmith.data.loading import load_sample
from flawsmith.generators.catalogue import generator
from flawsmith.masks.morphology import dilate
from flawsmith.synthesis.kit import Kit, KitSettings
from flawsmith.synthesis.make import CLEARANCE_PX, Workshop
from flawsmith.synthesis.plan import PlanSettings, order, orders

SIDE = 900


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Workshop:
    """A workshop with copy-paste, two classes' worth of demo defects, and two large backgrounds."""
    root = tmp_path_factory.mktemp("make")
    world = write_demo(
        root / "demo", DemoSettings(size_hw=(64, 64), good=4, per_class=2, most_shots=1, faint_share=0.0)
    )
    family = generator("copy_paste")
    (root / "model").mkdir()
    family.fit(world, family.settings(), root / "model", seed=0, progress=silent)
    samples = [load_sample(each) for each in world]
    kit = Kit.measure(samples, KitSettings(), {each.id: each.group for each in world})
    entries = []
    for number, good in enumerate(world.labelled(GOOD).entries[:2]):
        path = root / f"large{number}.png"
        write_image(path, np.pad(load_sample(good).image, [(0, SIDE - 64)] * 2 + [(0, 0)], mode="reflect"))
        entries.append(Entry(f"large{number}", path, GOOD, str(number)))
    backgrounds = Catalog("large", root, "test", tuple(entries))
    plan = PlanSettings(more_defects=0.6, most_defects=3)
    return Workshop(family.load(root / "model"), "copy_paste", kit, KitSettings(), plan, backgrounds, judged=False)


def some_orders(shop, count):
    return orders(dict.fromkeys(shop.kit.bank.labels, -(-count // len(shop.kit.bank.labels))), 1)[:count]


def peak_bytes(shop, count):
    tracemalloc.start()
    for each in shop.make(some_orders(shop, count)):
        assert each.image.shape[:2] == (SIDE, SIDE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_many_images_made_together_need_the_memory_of_one(shop):
    peak_bytes(shop, 1)  # what is loaded once is not counted below
    image = SIDE * SIDE * 3
    assert peak_bytes(shop, 16) < peak_bytes(shop, 2) + image


def test_images_made_together_and_alone_are_the_same(shop):
    wanted = some_orders(shop, 6)
    for together, each in zip(shop.make(wanted), wanted, strict=True):
        (alone,) = shop.make([each])
        assert np.array_equal(together.image, alone.image)
        assert together.birth == alone.birth
        assert together.accepted == alone.accepted
        assert [d.label for d in together.defects] == [d.label for d in alone.defects]
        assert all(np.array_equal(a.mask, b.mask) for a, b in zip(together.defects, alone.defects, strict=True))


def test_several_defects_keep_apart_and_nothing_else_changes(shop):
    several = dataclasses.replace(shop, plan=PlanSettings(more_defects=0.99, most_defects=3))
    for made in several.make(some_orders(shop, 6)):
        assert len(made.birth.defects) == 3
        near = np.zeros((SIDE, SIDE), bool)
        for defect in made.defects:
            assert not (near & defect.mask).any()
            near |= dilate(defect.mask, CLEARANCE_PX - 1)
        changed = (made.image != load_sample(made.background).image).any(2)
        touched = np.zeros_like(near)
        for defect in made.defects:
            reach = shop.kit_settings.composite.core_px + shop.kit_settings.composite.feather_px
            touched |= dilate(defect.mask, int(np.ceil(reach)))
        assert changed.any()
        assert not (changed & ~touched).any()


def test_an_order_for_a_class_of_its_own_carries_its_slot_and_seed(shop):
    label = shop.kit.bank.labels[0]
    (made,) = shop.make([order(label, 7, 2, 5)])
    assert made.birth.id == f"{label}/00007"
    assert made.birth.seed == derive_seed(5, "image", label, 7, 2)
    assert made.birth.defects[0]["label"] == label


def test_a_birth_names_the_training_image_each_defect_was_made_from(shop):
    for made in shop.make(some_orders(shop, 4)):
        for row in made.birth.defects:
            assert row["source"].split("/")[0] == row["label"]
