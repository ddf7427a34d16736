"""Every metric of a proof as people write it."""

from __future__ import annotations

TITLES = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "image_f1_max": "image F1-max",
    "recall_at_fpr": "recall at {false_alarms} false alarms",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "pixel_macro_ap": "class-mean pixel AP",
    "pixel_f1_max": "pixel F1-max",
    "pixel_pro": "PRO",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
}
"""By their name in the results."""


def titles(false_alarm_rate: float) -> dict[str, str]:
    """Return the titles, with the share of good parts that recall is read at.

    >>> titles(0.01)["recall_at_fpr"]
    'recall at 1 % false alarms'
    """
    rate = f"{100 * false_alarm_rate:g} %"
    return {name: title.format(false_alarms=rate) for name, title in TITLES.items()}
