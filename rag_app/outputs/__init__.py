"""Answers outside the process: files, exports, history, the terminal."""
