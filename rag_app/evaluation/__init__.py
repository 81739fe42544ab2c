"""Questions with gold answers, scores and reports."""
