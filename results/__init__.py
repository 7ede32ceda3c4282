"""What papers and boards report, and the runs of this machine."""
