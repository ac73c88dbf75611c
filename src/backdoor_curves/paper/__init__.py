"""The paper's own experiments: its sampling, and its numbers beside ours."""
