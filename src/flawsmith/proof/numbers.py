"""From what an inspector said of each image to numbers.

An image here is a mapping: `id`, `group`, `label` (its true class), `score`, and `named`, the defect class it would be
given if it is defective (None from an inspector that tells no classes apart).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.records import GOOD
from flawsmith.metrics import classes as of_classes
from flawsmith.metrics import curves
from flawsmith.metrics.classes import macro_average_precision
from flawsmith.metrics.inspection import average_precision, f1_max, image_auroc, recall_at_fpr
from flawsmith.proof.tally import Tally

Images = Sequence[Mapping[str, Any]]


def measured(images: Images, tally: Tally, false_alarm_rate: float, threshold: float | None) -> dict[str, float | None]:
    """Return every metric of one inspector by name, None where undefined; `threshold` is None without classes."""
    labels, scores = labels_and_scores(images)
    pixels = tally.total
    return {
        "image_auroc": plain(image_auroc(labels, scores)),
        "image_ap": plain(average_precision(labels, scores)),
        "image_f1_max": plain(f1_max(labels, scores)),
        "recall_at_fpr": plain(recall_at_fpr(labels, scores, false_alarm_rate)),
        "pixel_auroc": plain(pixels.auroc),
        "pixel_ap": plain(pixels.average_precision),
        "pixel_macro_ap": plain(float(macro_average_precision(list(tally.positive.values()), pixels.negative))),
        "pixel_f1_max": plain(pixels.f1_max),
        "pixel_pro": plain(pixels.pro()),
        **class_numbers(images, threshold),
    }


def class_numbers(images: Images, threshold: float | None) -> dict[str, float | None]:
    """Return accuracy and macro F1, None without classes."""
    confusion = confusions(images, threshold, classes_in(images)).sum(0)
    return {
        "accuracy": plain(float(of_classes.accuracy(confusion))),
        "macro_f1": plain(float(of_classes.macro(of_classes.f1(confusion)))),
    }


def recalls(images: Images, false_alarm_rate: float) -> dict[str, float | None]:
    """Return, per class, the share of images found when that share of the good ones is a false alarm."""
    found = {}
    for label in sorted({image["label"] for image in images} - {GOOD}):
        labels, scores = labels_and_scores([image for image in images if image["label"] in (GOOD, label)])
        found[label] = plain(recall_at_fpr(labels, scores, false_alarm_rate))
    return found


def pixel_precisions(tally: Tally) -> dict[str, float | None]:
    """Return, per class, the average precision of its defect pixels against all sound ones."""
    return {
        label: plain(float(curves.average_precision(positive, tally.total.negative)))
        for label, positive in sorted(tally.positive.items())
    }


def labels_and_scores(images: Images) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return whether each image is defective, and its score."""
    labels = np.array([image["label"] != GOOD for image in images], bool)
    return labels, np.array([image["score"] for image in images], np.float64)


def threshold_of(images: Images) -> float | None:
    """Return the best threshold between good and defective on these (validation) images; None without classes."""
    told = any(image["named"] is not None for image in images)
    return of_classes.decision_threshold(*labels_and_scores(images)) if told else None


def classes_in(images: Images) -> tuple[str, ...]:
    """Return good and then every other class that an image has, or might be given."""
    known = {each for image in images for each in (image["label"], image.get("named")) if each is not None}
    return GOOD, *sorted(known - {GOOD})


def confusions(images: Images, threshold: float | None, classes: Sequence[str]) -> NDArray[np.int64]:
    """Return a confusion matrix (K, K) of `classes` per group of images, groups in sorted order: (G, K, K).

    All are empty (K is 0) without a threshold: then no class was named.
    """
    members: dict[str, list[Mapping[str, Any]]] = {}
    for image in images:
        members.setdefault(image["group"], []).append(image)
    if threshold is None:
        return np.zeros((len(members), 0, 0), np.int64)
    return np.stack([_confusion(members[group], threshold, classes) for group in sorted(members)])


def _confusion(images: Images, threshold: float, classes: Sequence[str]) -> NDArray[np.int64]:
    named = [image["named"] if image["score"] >= threshold else GOOD for image in images]
    return of_classes.confusion_matrix([image["label"] for image in images], named, classes)


def class_tables(results: Sequence[Mapping[str, Any]], arms: Sequence[str]) -> dict[str, Any]:
    """Return per arm the classes, the confusion matrix summed over seeds, and each class's numbers, means over seeds.

    `results` are those of finished units. Empty where the inspector tells no classes apart.
    """
    told = [each for each in results if each.get("threshold") is not None]
    classes = classes_in([image for each in told for image in each["images"]])
    return {arm: _table([each for each in told if each["arm"] == arm], classes) for arm in arms if told}


def _table(results: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> dict[str, Any]:
    counts = np.stack([confusions(each["images"], each["threshold"], classes).sum(0) for each in results])
    columns = {name: getattr(of_classes, name)(counts) for name in ("precision", "recall", "f1")}
    means = {name: _known_mean(values) for name, values in columns.items()}
    return {
        "classes": list(classes),
        "confusion": counts.sum(0).tolist(),
        "per_class": {
            label: {"images": int(counts[0, place].sum()), **{name: means[name][place] for name in means}}
            for place, label in enumerate(classes)
        },
        "macro": {name: plain(float(of_classes.macro(values).mean())) for name, values in columns.items()},
    }


def _known_mean(values: NDArray[np.float64]) -> list[float | None]:
    """Return the mean over seeds (S, K) per class, of those where it is defined."""
    return [plain(float(each)) for each in of_classes.macro(values.T)]


def plain(value: float) -> float | None:
    """Return a number as JSON can hold it: None for NaN."""
    return None if np.isnan(value) else float(value)
