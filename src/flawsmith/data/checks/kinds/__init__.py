"""One file per kind of finding; each registers its check."""
