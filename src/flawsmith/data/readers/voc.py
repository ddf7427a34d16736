"""Pascal VOC (Everingham et al. 2010): an XML file per image with boxes, and where there are, numbered pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from flawsmith.core.drawn import DrawnMask
from flawsmith.core.errors import DataError, ImageError
from flawsmith.core.records import Catalog, MaskFile, MaskSource
from flawsmith.data.image_io import read_classes
from flawsmith.data.natural import natural_key
from flawsmith.data.readers.class_masks import areas_of
from flawsmith.data.readers.inside import refuse_picture_outside
from flawsmith.data.readers.labels import (
    Labelled,
    Pictures,
    check_found,
    declared_split,
    head_of,
    labelled_catalog,
    read_label_text,
    split_word,
)
from flawsmith.data.readers.listing import SPLIT_FOLDERS, label_of, subfolders
from flawsmith.data.readers.registry import READERS

_FOLDERS = ("annotations", "annotation", "boxes", "xml", "xmls")
_SETS = ("ImageSets/Main", "ImageSets")
_OBJECTS = "SegmentationObject"
_UNDECIDED = 255
"""VOC's number for pixels along the edges of objects."""
_SIDES = ("xmin", "ymin", "xmax", "ymax")


class VocReader:
    """Annotations/*.xml or boxes/*.xml with JPEGImages/ or images/, or *.xml beside the images.

    Boxes count pixels from 1 and hold their last row and column, as in VOC: xmin 1 is the left-most pixel. An XML file
    without objects is a good image; one with several classes has that of its first object. Images without an XML file
    are left out. Where SegmentationObject/*.png numbers the pixels of a file's objects, in their order from 1, these
    are the masks instead of the boxes; an object that others hide altogether keeps its box.

        DATA/
          Annotations/001.xml
          JPEGImages/001.jpg
          SegmentationObject/001.png
          ImageSets/Main/test.txt
    """

    goes_by = "labels"

    def recognises(self, root: Path) -> bool:
        """Return whether a folder for annotations holds an XML file with an annotation."""
        return any(b"<annotation" in head_of(files[0]) for files in _files(root).values())

    def read(self, root: Path) -> Catalog:
        """Read the catalog. Raises DataError, naming the file, for what is not as VOC says."""
        return labelled_catalog(
            root, "voc", (each for base, files in _files(root).items() for each in _read(root, base, files))
        )


def _files(root: Path) -> dict[Path, list[Path]]:
    """The XML files by the folder under which their images lie: the root, or the folder of a split."""
    bases = [root, *(folder for folder in subfolders(root) if folder.name.casefold() in SPLIT_FOLDERS)]
    return {base: files for base in bases if (files := _xml_files(base))}


def _xml_files(base: Path) -> list[Path]:
    folders = [base, *(folder for folder in subfolders(base) if folder.name.casefold() in _FOLDERS)]
    found = (path for folder in folders if folder.is_dir() for path in folder.glob("*.xml") if path.is_file())
    return sorted((path for path in found if not path.name.startswith(".")), key=lambda path: natural_key(path.name))


def _read(root: Path, base: Path, files: list[Path]) -> Iterator[Labelled]:
    pictures, sets = Pictures(root, base), _image_sets(base)
    found = [(file, tree, _image(pictures, file, tree)) for file, tree in ((file, _tree(file)) for file in files)]
    missing = [tree.findtext("filename") or file.stem for file, tree, image in found if image is None]
    check_found(missing, files[0].parent, base)
    for file, tree, image in found:
        if image is not None:
            split = sets.get(file.stem) or declared_split(split_word(image.parent, root))
            boxes = _boxes(file, tree)
            yield Labelled(image, _numbered(root, base / _OBJECTS / f"{file.stem}.png", boxes) or boxes, split, file)


def _image_sets(base: Path) -> dict[str, str]:
    """The split by the stem of the image, from train.txt, val.txt and test.txt; the first that names it counts."""
    files = [base / folder / f"{name}.txt" for folder in _SETS for name in ("test", "train", "val", "trainval")]
    found: dict[str, str] = {}
    for file in (file for file in files if file.is_file()):
        split = "test" if file.stem == "test" else "train"
        for line in read_label_text(file).splitlines():
            for stem in line.split()[:1]:
                found.setdefault(stem, split)
    return found


def _tree(file: Path) -> ElementTree.Element:
    text = read_label_text(file)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DataError(f"{file} declares a document type or entities, which no annotation needs: take the lines out")
    try:
        tree = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{file} is not readable as XML: {error}") from None
    if tree.tag != "annotation":
        raise DataError(f"{file}: expected <annotation> as the outermost element, got <{tree.tag}>")
    return tree


def _image(pictures: Pictures, file: Path, tree: ElementTree.Element) -> Path | None:
    name = (tree.findtext("filename") or "").strip()
    return (pictures.find(name, file) if name else None) or pictures.find_stem(file.stem, file)


def _numbered(root: Path, file: Path, boxes: tuple[DrawnMask, ...]) -> tuple[MaskSource, ...]:
    """Return the objects by their numbers in SegmentationObject; none where they are not numbered there.

    A file that cannot be read counts as numbered: the check then says what is wrong with it.
    """
    if not boxes or not file.is_file():
        return ()
    refuse_picture_outside(file, root)
    try:
        values = read_classes(file)
        numbers = set() if values.ndim == 3 else set(areas_of(values)) - {0, _UNDECIDED}
    except ImageError:
        numbers = set(range(1, len(boxes) + 1))
    if not numbers or max(numbers) > len(boxes):
        return ()
    return tuple(
        MaskFile(file, box.label, value=number) if number in numbers else box
        for number, box in enumerate(boxes, start=1)
    )


def _boxes(file: Path, tree: ElementTree.Element) -> tuple[DrawnMask, ...]:
    size_hw = _size_hw(file, tree)
    return tuple(_box(file, number, each, size_hw) for number, each in enumerate(tree.findall("object"), start=1))


def _size_hw(file: Path, tree: ElementTree.Element) -> tuple[int, int] | None:
    texts = tree.findtext("size/height"), tree.findtext("size/width")
    if texts[0] is None or texts[1] is None:
        return None
    try:
        height, width = int(float(texts[0])), int(float(texts[1]))
    except (ValueError, OverflowError):
        raise DataError(f"{file}: expected numbers as height and width in <size>, got {texts}") from None
    return (height, width) if height > 0 and width > 0 else None


def _box(file: Path, number: int, found: ElementTree.Element, size_hw: tuple[int, int] | None) -> DrawnMask:
    texts = [found.findtext(f"bndbox/{side}") for side in _SIDES]
    try:
        left, top, right, bottom = (float(text) for text in texts if text is not None)
        label = label_of((found.findtext("name") or "").strip())
        return DrawnMask(file, label, "box", ((left - 1, top - 1, right, bottom),), size_hw=size_hw)
    except ValueError as error:
        got = dict(zip(_SIDES, texts, strict=True))
        raise DataError(
            f"{file}, object {number}: expected a name and the numbers of bndbox, got {got}: {error}"
        ) from None


READERS.register("voc")(VocReader())
