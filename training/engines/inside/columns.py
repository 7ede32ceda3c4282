"""Names of columns that both sides of an engine know."""

ROW = "row"
"""Says which row of the training data a completion answers."""
