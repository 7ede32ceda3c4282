"""What a clip sounds like, measured: loudness, silence, pitch, tempo and the rest."""
