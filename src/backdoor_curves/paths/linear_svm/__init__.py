"""Linear SVMs in the space of their features: the hinge's path without a kernel matrix."""
