"""Damaged data sets of every layout, read and checked: only errors of our own tree may come out.

    python benchmarks/fuzz_readers.py [--inputs 10000] [--seed 0] [--layout coco …] [--dry]

An input is the small example of a layout (tests/layout_examples.py) with one to three damages: bytes flipped, cut,
repeated or swapped, values in JSON, XML, CSV and YAML replaced by odd ones, files removed, renamed or made a link. It
is read by name and by detection, and checked. The damage to input n of a layout depends on the seed and n alone, so
each can be made again (--first N --inputs 1). A row per reader goes to results/fuzz.jsonl: inputs, how many were read,
errors of our own tree, others (which must be 0), inputs that took longer than 5 s, seconds.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import append, origin

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from flawsmith.core.errors import FlawsmithError
from flawsmith.core.rng import stream
from flawsmith.data.checks import check
from flawsmith.data.loading import load_sample
from flawsmith.data.readers import READERS, read_catalog
from layout_examples import EXAMPLES

SLOW_S = 5.0
SHOWN = 3
TEXTS = (".json", ".xml", ".csv", ".yaml", ".txt")
WORDS = re.compile(rb"-?[0-9.]+|[A-Za-z_.#/]+|\s+|.", re.DOTALL)
ODD = [b"", b"0", b"-1", b"1e999", b"nan", b"9" * 30, b"9" * 5000, b"1.5", b"null", b"true", b"\0", b"..", b"/", b"\\"]
ODD += [b'"', b"'", b"\n", b",", b";", b"{", b"[", b"[" * 3000, b"]", b"}", b":", b"- ", b"<", b">", b"</a>", b"&x;"]
ODD += [b"<!DOCTYPE a>", b"&a", b"*a", b"<<: *a", b"!!python/name:os", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"#"]
ODD += [
    "é".encode(),
    b"good",
    b"scratch",
    b"a" * 300,
    b"../secret.png",
    b"/etc/hostname",
    b"\\ud800",
    b"0x" + b"f" * 4000,
]

Rng = np.random.Generator


def at(content: bytes, rng: Rng) -> int:
    return int(rng.integers(len(content) + 1))


def flipped(content: bytes, rng: Rng) -> bytes:
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 9)) if changed else 0):
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def in_the_head(content: bytes, rng: Rng) -> bytes:
    """Other bytes where a format says sizes, kinds and offsets."""
    place = int(rng.integers(min(len(content), 120) + 1))
    return content[:place] + rng.bytes(int(rng.integers(1, 5))) + content[place + 4 :]


def cut(content: bytes, rng: Rng) -> bytes:
    return content[: at(content, rng)]


def repeated(content: bytes, rng: Rng) -> bytes:
    return content[: at(content, rng)] + content[at(content, rng) :]


def swapped(content: bytes, rng: Rng) -> bytes:
    one, other, end = sorted(at(content, rng) for _ in range(3))
    return content[other:end] + content[one:other] + content[:one] + content[end:]


def inserted(content: bytes, rng: Rng) -> bytes:
    place = at(content, rng)
    return content[:place] + ODD[int(rng.integers(len(ODD)))] + content[place:]


def reworded(content: bytes, rng: Rng) -> bytes:
    """Words and numbers replaced: by odd ones, or by another of the file's own."""
    words = WORDS.findall(content)
    for _ in range(int(rng.integers(1, 4)) if words else 0):
        others = ODD if rng.random() < 0.7 else words
        words[int(rng.integers(len(words)))] = others[int(rng.integers(len(others)))]
    return b"".join(words)


def noise(content: bytes, rng: Rng) -> bytes:
    return rng.bytes(int(rng.integers(200)))


DAMAGES: tuple[Callable[[bytes, Rng], bytes], ...] = (
    flipped, in_the_head, cut, repeated, swapped, inserted, reworded, reworded, noise,
)  # fmt: skip


def damage(root: Path, rng: Rng) -> None:
    """Damage a data set one to three times; label files are hit as often as pictures."""
    for _ in range(int(rng.integers(1, 4))):
        files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        labels = [path for path in files if path.suffix in TEXTS]
        chosen = labels if labels and rng.random() < 0.6 else files
        if not chosen:
            return
        path, kind = chosen[int(rng.integers(len(chosen)))], rng.random()
        if kind < 0.9:
            path.write_bytes(DAMAGES[int(rng.integers(len(DAMAGES)))](path.read_bytes(), rng))
        elif kind < 0.94:
            path.unlink()
        elif kind < 0.97:
            path.rename(path.with_name(f"{int(rng.integers(99))}{files[int(rng.integers(len(files)))].suffix}"))
        else:
            path.unlink()
            path.symlink_to((root.parent / "secret.png", path, root, path.parent / "no")[int(rng.integers(4))])


def use(root: Path, layout: str | None) -> None:
    catalog = read_catalog(root, layout)
    if not any(problem.severity == "error" for problem in check(catalog)):
        for entry in catalog:
            load_sample(entry)


def outcome(root: Path, layout: str | None) -> str:
    """Return "read", "ours", or what was raised that is not of our own tree."""
    try:
        use(root, layout)
    except FlawsmithError:
        return "ours"
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        return traceback.format_exc()
    return "read"


def fuzz(layout: str, first: int, inputs: int, seed: int) -> dict[str, Any]:
    """Read damaged inputs of one layout and count what came of them."""
    counts = {"read": 0, "ours": 0, "others": 0, "slow": 0}
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        sound, root = Path(folder) / "sound", Path(folder) / "set"
        EXAMPLES[layout](sound)
        shutil.copy(sorted(sound.rglob("*.*"))[-1], Path(folder) / "secret.png")
        for number in range(first, first + inputs):
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(sound, root)
            damage(root, stream(seed, layout, number))
            start = time.perf_counter()
            found = [outcome(root, name) for name in (layout, None)]
            counts["slow"] += time.perf_counter() - start > SLOW_S
            strange = [each for each in found if each not in ("read", "ours")]
            counts["others" if strange else found[0]] += 1
            if strange and counts["others"] <= SHOWN:
                print(f"{layout}, input {number}, seed {seed}:\n{strange[0]}", file=sys.stderr)
    return {**counts, "seconds": round(time.perf_counter() - began, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layout", nargs="*", default=sorted(READERS), choices=sorted(READERS))
    parser.add_argument("--dry", action="store_true", help="print the rows, write none")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    failed = False
    for layout in chosen.layout:
        counts = fuzz(layout, chosen.first, chosen.inputs, chosen.seed)
        failed |= counts["others"] > 0
        row = {"name": f"fuzz_{layout}", "inputs": chosen.inputs, "seed": chosen.seed, **counts}
        if chosen.dry:
            print(row, flush=True)
        else:
            append("fuzz.jsonl", [{**row, **origin("pillow", "tifffile", "imagecodecs", "pydantic", "pyyaml")}])
    if failed:
        raise SystemExit("errors that are not of our own tree: see above")


if __name__ == "__main__":
    main()
