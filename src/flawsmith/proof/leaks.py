"""Nothing that was learnt from may be in the sealed test split: checked by file hash, by group and by looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flawsmith.core.errors import LeakError
from flawsmith.core.files import read_json
from flawsmith.core.records import Catalog, Entry
from flawsmith.data.loading import image_sha256
from flawsmith.data.lookalikes import fingerprints, measure

SHOWN = 5


def image_hashes(entries: Iterable[Entry]) -> dict[str, str]:
    """Return the SHA-256 of every image file by its path."""
    return {str(entry.image): image_sha256(entry) for entry in entries}


def background_hashes(synthetic: Catalog) -> dict[str, str]:
    """Return the SHA-256 of the background file stated in each synthetic image's birth record, where it has one."""
    found = {}
    for entry in synthetic:
        record = synthetic.root / "births" / f"{entry.id}.json"
        if record.is_file():
            birth = read_json(record)
            found[f"{birth['background_id']} (background of {entry.id})"] = str(birth["background_sha256"])
    return found


def check_hashes(learnt: Mapping[str, str], sealed: Mapping[str, str]) -> None:
    """Raise LeakError where something that was learnt from has the same bytes as a sealed test image.

    Both map a name (a file, or a synthetic image's background) to a SHA-256.
    """
    tests = {digest: name for name, digest in sealed.items()}
    pairs = [f"{name} = {tests[digest]}" for name, digest in sorted(learnt.items()) if digest in tests]
    if pairs:
        raise LeakError(
            f"{len(pairs)} images used for learning are test images: {_some(pairs)}; "
            "split the data again and repeat every stage after that"
        )


def check_groups(learnt: Iterable[Entry], sealed: Iterable[Entry]) -> None:
    """Raise LeakError where a real training image shows the same part (group) as a sealed test image."""
    tests = {entry.group for entry in sealed}
    pairs = sorted({f"{entry.id} of group {entry.group}" for entry in learnt if entry.group in tests})
    if pairs:
        raise LeakError(
            f"{len(pairs)} training images share their group with test images: {_some(pairs)}; "
            "split by group and repeat every stage after that"
        )


def check_lookalikes(learnt: Iterable[Entry], synthetic: Iterable[Entry], sealed: Iterable[Entry]) -> None:
    """Raise LeakError, naming the files, where an image learnt from looks like a sealed test image.

    `learnt` and `sealed` are all real images of the split: how alike different parts are is measured between their
    groups, as the split does, so that what it has joined is not found here.
    """
    learnt, synthetic, sealed = list(learnt), list(synthetic), list(sealed)
    seen = [*synthetic, *learnt]
    prints = fingerprints([*seen, *sealed])
    ruler = measure(prints[len(synthetic) :], [entry.group for entry in (*learnt, *sealed)])
    pairs = [
        f"{seen[one].image} = {sealed[other].image} (likeness {alike:.2f})"
        for one, other, alike in ruler.pairs(prints[: len(seen)], prints[len(seen) :])
    ]
    if pairs:
        raise LeakError(
            f"{len(pairs)} images used for learning show the same part as a test image (likeness above "
            f"{ruler.limit:.2f}, more than different parts of this product reach): {_some(pairs)}; split again with "
            "split.join_lookalikes and repeat every stage after that, or set proof.refuse_lookalikes=false if you know "
            "that they are different parts"
        )


def _some(pairs: list[str]) -> str:
    return ", ".join(pairs[:SHOWN]) + (f" and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else "")
