"""Which papers there are, how they come in and go out, and how a file becomes a Reading."""
