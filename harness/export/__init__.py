"""Files that leaderboards accept: made from a run, or checked whoever made them."""
