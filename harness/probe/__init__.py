"""`dtbench probe`: what a training changed inside a model, by its weights, its states and its logits."""
