"""What `classifier` needs beyond the plain installation."""

from __future__ import annotations

from importlib.util import find_spec

from flawsmith.core.errors import SettingsError


def check_timm() -> None:
    """Raise SettingsError where timm is not installed."""
    if find_spec("timm") is None:
        raise SettingsError(
            "the inspector 'classifier' takes its network from timm, which is not installed: "
            "pip install 'flawsmith[timm]', or choose 'classifier_small'"
        )
