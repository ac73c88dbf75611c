"""Which setting: what safe means, and the settings of a run that are."""
