"""Put the claims of recipes to the test: train every arm with every seed, keep what came out, and say what it shows."""
