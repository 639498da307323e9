"""The console: pages for people in browsers, on the server of the HTTP API."""
