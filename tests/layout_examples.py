"""A small data set of every layout: good parts and defects of the class scratch, written from plain arrays."""

import io
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from flawsmith.core.files import write_json, write_text
from flawsmith.data.image_io import write_image, write_mask

SIZE_HW = (10, 12)
SPOT = np.zeros(SIZE_HW, bool)
SPOT[3:6, 4:9] = True


def photo(path: Path, tone: int = 90) -> None:
    """Write a photograph, each tone with other pixels; jpg or what `write_image` writes."""
    pixels = np.full((*SIZE_HW, 1), tone, np.uint8)
    if path.suffix.lower() != ".jpg":
        write_image(path, pixels)
        return
    buffer = io.BytesIO()
    Pillow.fromarray(pixels[..., 0]).save(buffer, "JPEG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())


def photos(root: Path, *names: str) -> None:
    for number, name in enumerate(names):
        photo(root / name, 60 + 7 * number)


def numbers(path: Path, value: int) -> None:
    write_image(path, (SPOT * np.uint8(value))[..., None])


def colours(path: Path, *rgb: int) -> None:
    write_image(path, SPOT[..., None] * np.array(rgb, np.uint8))


def mvtec(root: Path) -> None:
    photos(root, "train/good/0.png", "test/good/0.png", "test/scratch/0.png")
    write_mask(root / "ground_truth/scratch/0_mask.png", SPOT)


def folder(root: Path) -> None:
    photos(root, "good/0.png", "scratch/0.png")
    write_mask(root / "masks/scratch/0.png", SPOT)


def pairs(root: Path) -> None:
    photos(root, "good/0.jpg", "scratch/0.jpg")
    write_mask(root / "scratch/0.png", SPOT)


def visa(root: Path) -> None:
    photos(root, "Data/Images/Normal/0000.JPG", "Data/Images/Anomaly/000.JPG")
    numbers(root / "Data/Masks/Anomaly/000.png", 3)
    rows = ["image,label,mask", "pcb1/Data/Images/Normal/0000.JPG,normal,"]
    rows += ["pcb1/Data/Images/Anomaly/000.JPG,scratch,pcb1/Data/Masks/Anomaly/000.png"]
    write_text(root / "image_anno.csv", "\r\n".join(rows) + "\r\n")


def class_index(root: Path) -> None:
    photos(root, "images/0.jpg", "images/1.jpg")
    numbers(root / "masks/0.png", 0)
    numbers(root / "masks/1.png", 2)
    write_text(root / "classes.txt", "background\ndent\nscratch\n")


def class_colour(root: Path) -> None:
    photos(root, "images/0.jpg", "images/1.jpg")
    colours(root / "masks/0.png", 0, 0, 0)
    colours(root / "masks/1.png", 200, 0, 40)
    write_text(root / "colours.csv", "name,r,g,b\nscratch,200,0,40\n")


def table(root: Path) -> None:
    photos(root, "photos/0.png", "photos/1.png")
    write_mask(root / "drawn/1.png", SPOT)
    write_text(
        root / "list.csv", "image,label,mask,split\nphotos/0.png,good,,train\nphotos/1.png,scratch,drawn/1.png,\n"
    )


def coco(root: Path) -> None:
    photos(root, "images/0.jpg", "images/1.jpg")
    height, width = SIZE_HW
    images = [{"id": n, "file_name": f"{n}.jpg", "height": height, "width": width} for n in (0, 1)]
    outline = [4, 3, 9, 3, 9, 6, 4, 6]
    found = [{"id": 1, "image_id": 1, "category_id": 5, "segmentation": [outline], "bbox": [4, 3, 5, 3]}]
    write_json(
        root / "annotations" / "all.json",
        {"images": images, "annotations": found, "categories": [{"id": 5, "name": "scratch"}]},
    )


def yolo(root: Path) -> None:
    photos(root, "images/train/0.jpg", "images/train/1.jpg")
    height, width = SIZE_HW
    write_text(root / "labels/train/1.txt", f"0 {6.5 / width} {4.5 / height} {5 / width} {3 / height}\n")
    write_text(root / "data.yaml", "train: images/train\nnames: [scratch]\n")


def voc(root: Path) -> None:
    photos(root, "JPEGImages/0.jpg", "JPEGImages/1.jpg")
    box = "<bndbox><xmin>5</xmin><ymin>4</ymin><xmax>9</xmax><ymax>6</ymax></bndbox>"
    for number, found in ((0, ""), (1, f"<object><name>scratch</name>{box}</object>")):
        text = f"<annotation><filename>{number}.jpg</filename>{found}</annotation>\n"
        write_text(root / f"Annotations/{number}.xml", text)
    numbers(root / "SegmentationObject/1.png", 1)


def rle_csv(root: Path) -> None:
    photos(root, "train_images/0.jpg", "train_images/1.jpg")
    runs = " ".join(f"{column * SIZE_HW[0] + 4} 3" for column in range(4, 9))
    write_text(root / "train.csv", f"ImageId,ClassId,EncodedPixels\n1.jpg,scratch,{runs}\n")


def anomalib(root: Path) -> None:
    photos(root, "normal/0.png", "normal_test/0.png", "abnormal/scratch/0.png")
    write_mask(root / "mask/scratch/0.png", SPOT)


def webdataset(root: Path) -> None:
    photos(root, "real_0.png", "real_1.png")
    numbers(root / "real_1.mask.png", 1)
    write_json(root / "real_0.json", {"label": "good", "split": "train"})
    write_json(root / "real_1.json", {"label": "scratch", "labels": ["scratch"], "group": "part-1"})


EXAMPLES = {
    "mvtec": mvtec,
    "folder": folder,
    "pairs": pairs,
    "visa": visa,
    "class_index": class_index,
    "class_colour": class_colour,
    "csv": table,
    "coco": coco,
    "yolo": yolo,
    "voc": voc,
    "rle_csv": rle_csv,
    "anomalib": anomalib,
    "webdataset": webdataset,
}
"""What writes an example of a layout into an empty folder, by the layout's name."""
