"""What is known of a checkpoint and its family."""
