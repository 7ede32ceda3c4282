"""`dtbench run`: the loop from a request to an outcome."""
