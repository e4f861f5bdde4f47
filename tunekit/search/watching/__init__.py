"""Studies that were begun elsewhere, seen as studies of tunekit: one module for each package that they come from."""
