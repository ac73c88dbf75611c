"""Tables of a run as text and as CSV."""
