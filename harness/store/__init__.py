"""What is written stays: run folders, locks, checksums."""
