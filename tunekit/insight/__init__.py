"""Insight: what a history, or models side by side, have to say: figures with intervals, and words."""
