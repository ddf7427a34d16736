"""Networks of the package timm, with weights from a local file or from scratch. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from flawsmith.core.errors import SettingsError
from flawsmith.nets.foreign import read_tensors, weights_sha256


def timm_net(name: str, classes: int = 1000) -> nn.Module:
    """Return timm's model `name` for images of three channels, its weights drawn from torch's global stream.

    Raises SettingsError where timm does not know the name.
    """
    import timm

    if not timm.is_model(name):
        near = ", ".join(timm.list_models(f"*{name[:6]}*")[:8]) or "see timm.list_models()"
        raise SettingsError(f"timm has no model {name!r}: name one of its own, for example {near}")
    net: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes, in_chans=3)
    return net


def begin_with(net: nn.Module, weights: Path) -> None:
    """Let a timm network take everything but its last layer from a file of weights of the same model.

    Raises SettingsError where the file is not of this model.
    """
    heads = net.pretrained_cfg["classifier"]  # type: ignore[index]
    last = tuple(f"{name}." for name in ([heads] if isinstance(heads, str) else heads))
    given = _without(read_tensors(weights), last)
    wanted = _without(net.state_dict(), last)
    wrong = sorted(
        name
        for name in {*given, *wanted}
        if name not in given or name not in wanted or given[name].shape != wanted[name].shape
    )
    if wrong:
        shown = ", ".join(wrong[:5])
        raise SettingsError(
            f"{weights} holds {len(given)} tensors, of which {len(wrong)} are missing, unknown or of another shape "
            f"({shown}): expected the weights of the timm model that is named as backbone"
        )
    net.load_state_dict(given, strict=False)


def said_of(name: str, weights: Path) -> str:
    """Return in words that a timm model begins with a file of weights."""
    return f"{name} from {weights.name} (sha256 {weights_sha256(weights)})"


def _without(tensors: Mapping[str, Tensor], prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the tensors of other layers; counters of batches are no weights."""
    counter = "num_batches_tracked"
    return {
        name: each for name, each in tensors.items() if not name.startswith(prefixes) and not name.endswith(counter)
    }
