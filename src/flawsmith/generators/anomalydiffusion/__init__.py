"""AnomalyDiffusion (Hu et al. 2024), small and from scratch: a diffusion network told by tokens what to paint where."""
