"""AnomalyDiffusion (Hu et al. 2024): a diffusion network told by tokens what to paint where."""
