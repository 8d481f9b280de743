"""Scripts that measure and print ratios of things run side by side; RESULTS.md keeps the output."""
