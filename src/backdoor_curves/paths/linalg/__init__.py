"""Linear algebra of the paths: coordinates, factors, conjugate gradients."""
