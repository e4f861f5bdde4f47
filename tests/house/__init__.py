"""Tests that hold the house up: who may import whom, what may stand where, what comes out of a build."""
