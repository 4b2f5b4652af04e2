"""VM pools for Jupyter."""
