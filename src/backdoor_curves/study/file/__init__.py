"""The study file: what may stand in it, how it is read, what is wrong with it."""
