"""Cells are computed: one, many on this machine, many on a cluster."""
