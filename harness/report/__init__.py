"""`dtbench report`: a run, two runs or a training run as one page that needs nothing but a browser."""
