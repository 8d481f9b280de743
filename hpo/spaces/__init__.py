"""Search spaces: as written in, distributions, grid points, draws and settings out."""
