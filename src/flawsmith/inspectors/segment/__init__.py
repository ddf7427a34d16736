"""A U-Net that gives every pixel a defect score, trained on crops."""

from flawsmith.inspectors.segment.family import SegmentFamily as SegmentFamily

__all__ = ["SegmentFamily"]
