"""The one training loop for every network, its feed, its weights on disk, and where it computes."""
