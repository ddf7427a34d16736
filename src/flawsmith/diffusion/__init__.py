"""Noise schedules, preconditioning, samplers, guidance and tiling: pure functions over any denoiser."""
