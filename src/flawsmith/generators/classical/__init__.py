"""Generators without a network: the controls that every learnt one has to beat."""
