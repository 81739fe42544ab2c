"""The web server: `app.serve` and `app.asgi`."""
