"""The registry of generator families. It imports none: `generators.catalogue` does, so that help texts stay quick."""

from flawsmith.core.protocols import GeneratorFamily
from flawsmith.core.registry import Registry

GENERATORS: Registry[GeneratorFamily] = Registry("generator")
