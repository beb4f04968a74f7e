"""The drawing page: a digit is drawn or uploaded, and the page shows what the network makes of it."""
