"""The world of the benchmark `mini`: sounds from a seeded generator, and questions whose answers are known."""
