"""The library inside other frameworks: one module for each. Nothing of ours imports them."""
