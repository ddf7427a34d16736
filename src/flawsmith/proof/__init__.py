"""Does it help? The same inspector with and without synthetic images, on real test images nobody has seen before."""
