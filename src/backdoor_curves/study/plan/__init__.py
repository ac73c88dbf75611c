"""From a study to its cells, their groups, their rows and what they need."""
