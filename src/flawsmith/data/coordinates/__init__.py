"""Where in a repetitive pattern an image lies: the period, one period's template, each image's phase, caption files."""

from flawsmith.data.coordinates.captions import Caption, read_caption, read_captions, write_captions
from flawsmith.data.coordinates.lattice import Lattice
from flawsmith.data.coordinates.pattern import Pattern, load_pattern, measure_pattern, save_pattern
from flawsmith.data.coordinates.period import find_lattice
from flawsmith.data.coordinates.phase import Phase, phase_of

__all__ = [
    "Caption",
    "Lattice",
    "Pattern",
    "Phase",
    "find_lattice",
    "load_pattern",
    "measure_pattern",
    "phase_of",
    "read_caption",
    "read_captions",
    "save_pattern",
    "write_captions",
]
