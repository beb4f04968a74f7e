"""Models as numeric arrays and JSON: which classes a file may hold, writing and reading them."""
