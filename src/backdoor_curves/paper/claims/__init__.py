"""The paper's conclusions, tested."""
