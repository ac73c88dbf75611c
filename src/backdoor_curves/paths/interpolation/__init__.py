"""Interpolants: the weights of a path's nodes at any beta."""
