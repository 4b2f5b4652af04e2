"""What the broker makes of a cluster: each figure beside what the same API server does without it."""
