"""Where a defect is and what shape it has: shapes, placement on the object, and the guide vector."""
