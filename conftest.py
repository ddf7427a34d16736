"""Which modules are not looked through for doctests: those that cannot be imported without a package of an extra."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("anomalib") else ["src/flawsmith/inspectors/anomalib/*"]
