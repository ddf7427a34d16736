"""DualAnoDiff (CVPR 2025), small and from scratch: the whole picture and its defect alone, denoised side by side."""
