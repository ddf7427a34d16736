"""Data sets on disk: readers, checks, splits, image files, export formats and the demo world. No torch."""
