"""How w(beta) is followed: one learner a file. Arrays in, a `BetaPath` out."""
