"""How much of its window a model really uses (Loong)."""
