"""What the papers teach, run by users on their own models and papers."""
