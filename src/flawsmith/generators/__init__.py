"""Generators: one folder per family, all behind `core.protocols.GeneratorFamily`."""
