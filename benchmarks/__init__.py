"""What it costs, as ratios to what the same store takes bare in the same run: ``make bench``."""
