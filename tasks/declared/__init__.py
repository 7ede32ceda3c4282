"""Tasks as data: a TOML file says where the questions are, which fields they have, how to ask and how to score."""
