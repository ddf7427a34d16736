"""Networks that find defects, by name. `import flawsmith.inspectors` loads no torch."""

from flawsmith.inspectors.anomalib import AnomalibFamily as AnomalibFamily
from flawsmith.inspectors.classify import ClassifyFamily as ClassifyFamily
from flawsmith.inspectors.registry import INSPECTORS as INSPECTORS
from flawsmith.inspectors.segment import SegmentFamily as SegmentFamily

__all__ = ["INSPECTORS", "AnomalibFamily", "ClassifyFamily", "SegmentFamily"]
