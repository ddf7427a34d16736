"""The joint generator: picture and mask of a defect drawn together in a window (after Yang et al. 2024)."""
