"""Networks that say of a whole image whether it is good or which defect it shows."""

from flawsmith.inspectors.classify.family import ClassifyFamily as ClassifyFamily

__all__ = ["ClassifyFamily"]
