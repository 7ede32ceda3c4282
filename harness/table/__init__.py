"""`dtbench table`: the table that a paper prints."""
