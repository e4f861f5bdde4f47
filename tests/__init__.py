"""The tests of tunekit; the folders mirror the package."""
