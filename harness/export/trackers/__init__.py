"""Where a run's summary goes beside its folder: experiment trackers, each by its own client.

A logger is a function of (summary, settings), named in the entry point group `dtbench.loggers`. The summary is what
summary.json holds, the settings are run.json, without secrets. It is called once, after the run is stored; `flat` has
both as trackers take them. What it raises is told in a line and changes nothing in the run.
"""
