"""The verdict in words for somebody who decides whether to use synthetic images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from flawsmith.metrics.intervals import Interval
from flawsmith.proof.titles import TITLES

Word = Literal["helps", "no evidence", "hurts"]
JUDGED = {
    "pixel_macro_ap": "marking the defect's pixels",
    "macro_f1": "naming the defect's class",
    "image_ap": "telling defective parts from good ones",
}
"""The metrics that may decide, and what each is about."""

Difference = Mapping[str, Any]


def judged(arms: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the metrics that decide: image AP, and the pixel AP of classes or, where no pixel is marked, macro F1.

    `arms` hold the mean of each metric, NaN where the inspector does not give it.
    """

    def known(metric: str) -> bool:
        return any(np.isfinite(arm["metrics"][metric]["mean"]) for arm in arms)

    return ("macro_f1" if known("macro_f1") and not known("pixel_macro_ap") else "pixel_macro_ap"), "image_ap"


def word(against_best: Difference, against_base: Difference) -> Word:
    """Judge one metric: `helps` if surely better than the best other arm, `hurts` if surely worse than without."""
    if Interval(against_best["low"], against_best["high"]).low > 0:
        return "helps"
    if Interval(against_base["low"], against_base["high"]).high < 0:
        return "hurts"
    return "no evidence"


def judge(
    candidate: str,
    best: Mapping[str, Difference],
    base: Mapping[str, Difference],
    converged: bool | None,
    sets: int = 1,
) -> dict[str, Any]:
    """Return the verdict: a word and a sentence per judged metric, and overall.

    `best` and `base` hold, per metric that decides, the difference to the best other arm and to the arm without
    synthetic images; `sets` is how many sets of synthetic images the candidate learnt from, each of a generator fitted
    anew. Overall it hurts if either metric is hurt, helps if one is helped and none hurt.
    """
    metrics = {name: word(best[name], base[name]) for name in best}
    overall = _overall(list(metrics.values()))
    sentences = [_sentence(metrics[name], JUDGED[name], name, best[name], base[name]) for name in best]
    parts = [_HEADLINE[overall].format(candidate=candidate), *sentences, *_caution(converged), *_one_fit(overall, sets)]
    return {"verdict": overall, "metrics": metrics, "sentence": " ".join(parts), "candidate": candidate}


_HEADLINE = {
    "helps": "Use them: training with the arm '{candidate}' makes a better inspector.",
    "no evidence": "Not shown: this test gives no proof that the arm '{candidate}' makes a better inspector.",
    "hurts": "Do not use them: training with the arm '{candidate}' makes a worse inspector.",
}


def _overall(words: list[Word]) -> Word:
    if "hurts" in words:
        return "hurts"
    return "helps" if "helps" in words else "no evidence"


def _sentence(found: Word, about: str, name: str, best: Difference, base: Difference) -> str:
    shown = base if found == "hurts" else best
    if shown["mean"] is None or shown["mean"] != shown["mean"]:
        return f"At {about} the arms cannot be compared: the test images lack what that needs."
    claim = {
        "helps": f"At {about} it beats the best alternative ({shown['other']})",
        "no evidence": f"At {about} it cannot be told from the best alternative ({shown['other']})",
        "hurts": f"At {about} it does worse than real images alone ({shown['other']})",
    }[found]
    if found == "no evidence" and shown["high"] < 0:
        claim = f"At {about} the alternative {shown['other']} does better"
    points = f"{100 * shown['mean']:+.1f} points of {TITLES[name]}"
    return f"{claim}: {points}, with 95 % confidence between {100 * shown['low']:+.1f} and {100 * shown['high']:+.1f}."


def _one_fit(found: Word, sets: int) -> list[str]:
    if sets != 1 or found == "no evidence":
        return []
    return ["It holds for the images of one fit of the generator: another fit may turn it, which fits=3 would tell."]


def _caution(converged: bool | None) -> list[str]:
    if converged:
        return []
    if converged is None:
        return ["Whether training had stopped improving is unknown: too few looks at validation, or no defect in it."]
    return ["Caution: training was still improving when it ended, so more steps could change this."]
