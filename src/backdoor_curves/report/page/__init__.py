"""The page of a run: records, words, pictures, HTML."""
