"""Questions that need several searches: surveys, disagreements, chains."""
