"""`dtbench probe`: what a training changed inside a model."""
