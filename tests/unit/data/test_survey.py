"""Looking at many images: what was seen is kept, whatever stops the looking, and several threads see the same."""

import json
import struct
import zlib

import numpy as np
import pytest
from scipy import ndimage

from flawsmith.data.checks import problems, survey
from flawsmith.data.checks.alike import MOST_TWINS, alike, clusters
from flawsmith.data.checks.stored import StoredFacts, facts_from_json, facts_to_json, stored_facts
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.data.parallel import in_threads
from flawsmith.data.readers import read_catalog
from flawsmith.recipes.check import look
from flawsmith.recipes.route import Route
from flawsmith.recipes.settings import RunSettings


def texture(seed):
    grain = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(64, 64)), 2)
    return np.clip(128 + 400 * grain, 0, 255).astype(np.uint8)[..., None]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "set"
    for number in range(12):
        label = ("good", "hole")[number // 6]
        write_image(folder / label / f"{number}.png", texture(number))
        if label == "hole":
            mask = np.zeros((64, 64), bool)
            mask[10 : 20 + number, 10:20] = True
            write_mask(folder / "masks/hole" / f"{number}.png", mask)
    (folder / "good/0.png").write_text("no image")
    (folder / "good/1.png").write_bytes((folder / "good/1.png").read_bytes()[:-300])
    (folder / "masks/hole/7.png").write_text("no image")
    write_mask(folder / "masks/hole/8.png", np.ones((60, 64), bool))
    return folder


def same(one, other):
    return json.dumps(facts_to_json(one)) == json.dumps(facts_to_json(other))


def test_threads_find_what_a_plain_map_finds(root):
    catalog = read_catalog(root)
    threads, plain = survey(catalog), survey(catalog, map)
    assert list(threads.facts) == list(plain.facts)
    assert all(same(threads.facts[id], plain.facts[id]) for id in plain.facts)
    assert problems(threads) == problems(plain)
    kinds = {problem.kind for problem in problems(threads)}
    assert {"unreadable", "truncated", "mask_size"} <= kinds


def test_threads_keep_the_order_and_look_little_ahead():
    begun = []

    def items():
        for number in range(1000):
            begun.append(number)
            yield number

    found = in_threads(lambda number: number * number, items())
    assert [next(found) for _ in range(3)] == [0, 1, 4]
    assert len(begun) < 500
    assert list(found) == [number * number for number in range(3, 1000)]


def test_facts_come_back_from_json_as_they_were(root):
    for facts in survey(read_catalog(root)).facts.values():
        back = facts_from_json(json.loads(json.dumps(facts_to_json(facts))))
        assert same(back, facts)
        assert (back.fault, back.head, back.masks) == (facts.fault, facts.head, facts.masks)
        if facts.thumbnail is not None:
            np.testing.assert_array_equal(back.thumbnail, facts.thumbnail)


def test_what_was_seen_before_a_stop_is_not_looked_at_again(root, tmp_path):
    catalog, file = read_catalog(root), tmp_path / "facts.jsonl"

    def stop(task, done, total, note):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), stored_facts(file) as stored:
        survey(catalog, progress=stop, stored=stored)
    with file.open("a") as torn:
        torn.write('{"id": "good/9", "fault"')
    looked = []

    def counting(work, entries):
        for entry in entries:
            looked.append(entry.id)
            yield work(entry)

    with stored_facts(file) as stored:
        assert len(stored.known) == 5
        seen = survey(catalog, counting, stored=stored)
    assert len(looked) == len(catalog) - 5
    assert problems(seen) == problems(survey(catalog))
    assert not file.exists()


@pytest.mark.parametrize(
    "damage", [b"\xff\n", b"[]\n", b"1\n", b"null\n", b'{"id": 3}\n', b'{"id": "a", "head": [1]}\n']
)
def test_damaged_lines_count_for_nothing(damage, root, tmp_path):
    catalog, file = read_catalog(root), tmp_path / "facts.jsonl"
    stored = StoredFacts(file)
    survey(catalog, stored=stored)
    stored.close()
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:3], damage, *lines[3:]]))
    stored = StoredFacts(file)
    stored.close()
    assert list(stored.known) == [json.loads(line)["id"] for line in lines[:3]]
    assert file.read_bytes() == b"".join(lines[:3])


def test_a_check_that_was_stopped_goes_on(root, tmp_path):
    (root / "good/0.png").unlink()
    (root / "good/1.png").unlink()
    told = []

    def stop(task, done, total, note=""):
        told.append((task, done))
        if (task, done) == ("images", 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look(Route(str(root), tmp_path / "run", RunSettings(), stop))
    told.clear()
    manifest = look(Route(str(root), tmp_path / "run", RunSettings(), lambda *each: told.append(each[:2])))
    assert min(done for task, done in told if task == "images") == 5
    assert manifest.counts["images"] == 10
    assert not any("facts" in name for name in manifest.files)


def test_a_mask_of_another_size_is_not_decoded(root):
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"no pixels") + chunk(b"IEND", b"")
    (root / "masks/hole/9.png").write_bytes(bomb)
    found = {problem.file.name: problem.kind for problem in problems(survey(read_catalog(root)))}
    assert found["9.png"] == "mask_size"


def test_of_very_many_twins_all_hang_together_but_few_pairs_are_told():
    rng = np.random.default_rng(0)
    pictures = [ndimage.gaussian_filter(rng.normal(size=(32, 32)), 2) for _ in range(40)]
    many = [pictures[0] + 0.001 * rng.normal(size=(32, 32)) for _ in range(300)]
    thumbnails = [((each - each.mean()) / each.std()).astype(np.float16) for each in [*pictures, *many]]
    found = alike(thumbnails)
    assert len(found) < 301 * 2 * MOST_TWINS
    (members,) = clusters(found, len(thumbnails))
    assert members == [0, *range(40, 340)]
