"""A data file becomes the study that audits a learner on it."""
