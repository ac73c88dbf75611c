"""loss(y, f(x)): the loss of a row, what its score columns stand for, and its integral along a line."""
