"""The model in the box: a true Qwen3-Omni thinker of two million weights, made from scratch on sounds of our own."""
