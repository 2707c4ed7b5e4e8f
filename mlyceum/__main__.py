"""``python -m mlyceum`` is the command ``mlyceum``."""

from mlyceum.cli import main

if __name__ == "__main__":
    main()
