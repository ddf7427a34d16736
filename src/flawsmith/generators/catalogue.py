"""Every generator family, imported: import this module where a family is needed, and only there (it pulls torch)."""

from flawsmith.core.protocols import GeneratorFamily
from flawsmith.generators.anomalydiffusion import family as _anomalydiffusion  # noqa: F401 (registers its families)
from flawsmith.generators.classical import family as _classical  # noqa: F401
from flawsmith.generators.ddpm import family as _ddpm  # noqa: F401
from flawsmith.generators.dualanodiff import family as _dualanodiff  # noqa: F401
from flawsmith.generators.joint import family as _joint  # noqa: F401
from flawsmith.generators.latent import family as _latent  # noqa: F401
from flawsmith.generators.local import family as _local  # noqa: F401
from flawsmith.generators.registry import GENERATORS


def generator(name: str) -> GeneratorFamily:
    """Return a registered family. Raises RegistryError for an unknown name, proposing the nearest."""
    return GENERATORS[name]


__all__ = ["GENERATORS", "generator"]
