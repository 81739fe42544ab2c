"""Text of a PDF that nobody can see: found by what its pages show."""
