"""How w(beta) is followed: one loss a folder. Arrays in, a `BetaPath` out."""
