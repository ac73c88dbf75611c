"""Kernels between rows: functions, inner products, known matrices, and what is remembered of them."""
