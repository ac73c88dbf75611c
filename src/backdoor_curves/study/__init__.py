"""Studies: many cells of one experiment, described in a file, computed, kept."""
