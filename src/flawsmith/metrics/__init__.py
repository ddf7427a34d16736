"""Numbers from arrays: how well an inspector finds defects, and how sure that is. No torch."""
