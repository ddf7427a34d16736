"""The local generator: a diffusion network that sees a crop around the defect and repaints the masked part of it."""
