"""Networks whose features pictures are compared by, and their weights from a local file."""
