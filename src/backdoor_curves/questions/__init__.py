"""Questions about what makes a learner easy to backdoor, each a study with an answer that anyone can repeat."""
