"""Records on disk and in a notebook, and how things are said in one line."""
