"""The data set layouts by name. A new layout is one new file in this folder that registers its reader."""

from flawsmith.core.protocols import Reader
from flawsmith.core.registry import Registry

READERS = Registry[Reader]("data layout")
