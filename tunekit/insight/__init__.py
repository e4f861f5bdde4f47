"""Insight: what finished work has to say, computed as plain data and written in words."""
