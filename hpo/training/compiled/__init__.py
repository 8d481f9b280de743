"""The compiled engine: numba kernels that skip zero pixels exactly; see docs/trainer.md."""
