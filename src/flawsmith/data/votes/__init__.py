"""Several people's labels of the same images: read, voted on, compared, doubted where pictures disagree."""
