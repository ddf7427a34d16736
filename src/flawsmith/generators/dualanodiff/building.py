"""The one place that chooses between a trunk of the product's own and one that others have learnt."""

from __future__ import annotations

from flawsmith.generators.dualanodiff.ground import Ground
from flawsmith.generators.dualanodiff.net import DualNet, Trunk
from flawsmith.generators.dualanodiff.own import OwnTrunk
from flawsmith.generators.dualanodiff.settings import DualAnoDiffSettings
from flawsmith.generators.dualanodiff.stable import StableTrunk
from flawsmith.generators.stable import Stable
from flawsmith.nets.pipeline import open_pipeline


def build_net(channels: int, classes: int, settings: DualAnoDiffSettings, ground: Ground) -> DualNet:
    """Return a network that has learnt nothing of the product.

    Raises DataError where `weights` is no latent diffusion model, SettingsError where the size does not fit it.
    """
    walkers = 3 if settings.compensation else 2
    trunk: Trunk
    if settings.weights is None:
        trunk = OwnTrunk(channels, walkers, settings.net)
    else:
        stable = Stable(open_pipeline(settings.weights))
        stable.check_sides("size_hw", *settings.size_hw)
        trunk = StableTrunk(stable, channels, walkers, settings.net.rank)
    return DualNet(trunk, channels, classes, settings, ground)
