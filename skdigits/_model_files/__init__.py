"""Model files: what they may hold, and checks of a loaded model."""
