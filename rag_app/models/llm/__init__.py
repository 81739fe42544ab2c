"""The one way to a language model: `client` opens and calls it."""
