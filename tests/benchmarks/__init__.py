"""Speed, beside what else one could use: ratios in one run, never seconds in a test."""
