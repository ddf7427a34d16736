"""What `classifier` needs beyond the plain installation."""

from __future__ import annotations

from flawsmith.inspectors.needs import check_package


def check_timm() -> None:
    """Raise SettingsError where timm is not installed."""
    check_package("timm", "classifier", "classifier_small")
