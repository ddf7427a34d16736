"""DualAnoDiff (CVPR 2025): the whole picture and its defect alone, denoised side by side."""
