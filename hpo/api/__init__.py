"""The library: studies loaded, run and looked at from Python, in scripts and in notebooks."""
