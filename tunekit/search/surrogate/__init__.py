"""The surrogate: what the search believes about settings that it has not tried.

A Gaussian process for each metric, on an encoding of the space in which all parameters weigh alike.
"""
