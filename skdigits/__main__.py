"""`python -m skdigits` is the command `skdigits`."""

from ._cli import main

if __name__ == "__main__":
    main()
