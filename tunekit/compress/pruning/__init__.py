"""Pruning: which weights a net can do without."""
