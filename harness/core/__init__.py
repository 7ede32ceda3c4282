"""The nouns, the errors, and the two contracts that others implement: Task and Model."""
