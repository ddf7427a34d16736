"""Latent diffusion of whole images, told a defect's name and its place in a repetitive pattern."""
