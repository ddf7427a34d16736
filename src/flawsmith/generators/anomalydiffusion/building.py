"""The one place that chooses between a network of the product's own and one that others have learnt."""

from __future__ import annotations

from flawsmith.generators.anomalydiffusion.net import TokenNet
from flawsmith.generators.anomalydiffusion.own import OwnTrunk
from flawsmith.generators.anomalydiffusion.settings import AnomalyDiffusionSettings
from flawsmith.generators.anomalydiffusion.stable import StableTrunk
from flawsmith.generators.anomalydiffusion.tokens import Tokens
from flawsmith.generators.crops.palette import Palette
from flawsmith.generators.stable import Stable
from flawsmith.nets.pipeline import open_pipeline


def build_net(
    channels: int, classes: int, settings: AnomalyDiffusionSettings, palette: Palette | None = None
) -> TokenNet:
    """Return a network that has learnt nothing of the product; its palette counts where it sees pixels.

    Raises DataError where `weights` is no latent diffusion model, SettingsError where the side does not fit it.
    """
    if settings.weights is None:
        return TokenNet(Tokens(classes, settings.net.embedding, settings), OwnTrunk(channels, settings.net, palette))
    stable = Stable(open_pipeline(settings.weights))
    stable.check_sides("side", settings.side)
    return TokenNet(Tokens(classes, stable.width, settings), StableTrunk(stable, channels, settings.net.rank))
