"""Hyperparameter search: spaces, objectives, samplers and the study."""
