"""Reports of made-up runs, and what they look like in a browser."""
