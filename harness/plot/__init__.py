"""`dtbench plot`: pictures of runs."""
