"""The drawing page: somebody draws or uploads a digit, the page shows how it is read."""
