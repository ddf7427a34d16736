"""Detectors of the package anomalib, trained by its own code: witnesses from outside."""

from flawsmith.inspectors.anomalib.family import AnomalibFamily as AnomalibFamily

__all__ = ["AnomalibFamily"]
