"""What decides who gets which VM."""
