"""Panels of the page that ask the server themselves, without gradio: notes, a paper's details, quotes of a text."""
