"""DDPM of whole images, as the glass paper trains it, on diffusers' network and in its folders."""
