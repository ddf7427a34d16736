"""The words of the house: records, errors, registry, settings, randomness and the run store. No torch."""
