"""`dtbench view`: serve the report of many runs on this machine, live while they go on."""
