"""Insight: what a history says, in figures with intervals and in words; computed from any history."""
