"""How far answers follow from chains of thought: change a chain, have the model go on, and see whether it matters."""
