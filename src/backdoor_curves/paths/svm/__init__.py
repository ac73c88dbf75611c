"""SVMs with the hinge loss: the exact path, from knot to knot, and its proof."""
