"""How the checkpoint in the box was made."""
