"""Workers: processes that claim points, run the objective and tell its results."""
