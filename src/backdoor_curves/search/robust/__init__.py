"""The search for hyperparameters that resist: scikit-learn's, with attacks on each fold."""
