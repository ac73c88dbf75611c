"""From a scikit-learn estimator to arrays, a frozen map and a path: the one seam between the two."""
