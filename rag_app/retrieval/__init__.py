"""What a question asks, and the passages that answer it."""
