"""dtbench's benchmarks in lm-eval, and lm-eval's tasks in dtbench; loaded by whoever asks for either."""
