"""Runs: a study checked, made or continued, and seen through to its end by workers."""
