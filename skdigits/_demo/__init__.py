"""The drawing page of ``skdigits draw``: a Starlette application and its static files."""
