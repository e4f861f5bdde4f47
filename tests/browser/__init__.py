"""Tests in a real JupyterLab in a real browser.

This folder is a package so that its fixtures can end with it: Playwright keeps an event loop running in the main
thread for as long as it lives, and the tests of the other folders want to start their own.
"""
