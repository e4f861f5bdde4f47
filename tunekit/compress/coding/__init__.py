"""Storing weights in few bytes: what pruning and sharing have made cheap is written cheaply."""
