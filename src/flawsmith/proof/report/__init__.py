"""The report: one HTML file that a plant can mail around and open without a network."""
