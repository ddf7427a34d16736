"""Features drawn on a plane, so that people see which crops a network finds alike."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawsmith.core.errors import SettingsError

LEAST_POINTS = 5
PERPLEXITY = 30.0


def check_method(method: str) -> None:
    """Raise SettingsError for a method whose package is not installed."""
    if method == "umap" and find_spec("umap") is None:
        raise SettingsError("quality.map=umap needs the package umap-learn: install it, or set quality.map=tsne")


def on_plane(features: NDArray[Any], method: str, seed: int) -> NDArray[np.float64]:
    """Return a place (N, 2) per row of features (N, D): by t-SNE (van der Maaten & Hinton 2008) or UMAP (McInnes et al.
    2018). Near means alike; distances between far points, and areas, mean nothing.
    """
    seed = seed % 2**32
    if method == "umap":
        import umap  # type: ignore[import-not-found]

        return np.asarray(umap.UMAP(random_state=seed).fit_transform(features), np.float64)
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    found = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(features.astype(np.float32))
    return np.asarray(found, np.float64)


def drawn(origins: Sequence[tuple[str, str]], features: NDArray[Any], method: str, seed: int) -> dict[str, Any] | None:
    """Return the map as plain data: method, and a row (origin, label, x, y) per feature row; None where not asked for,
    or there are too few points. `origins` hold origin ("good", "real", "synthetic") and class of each row.
    """
    if method == "none" or len(origins) < LEAST_POINTS:
        return None
    places = on_plane(features, method, seed)
    rows = [
        {"origin": origin, "label": label, "x": round(float(x), 4), "y": round(float(y), 4)}
        for (origin, label), (x, y) in zip(origins, places, strict=True)
    ]
    return {"method": method, "points": rows}
