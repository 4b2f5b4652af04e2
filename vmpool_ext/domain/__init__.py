"""Values and rules of pools: pure, with the time as an argument."""
