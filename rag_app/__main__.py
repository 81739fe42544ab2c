"""`python -m rag_app`, and the console script `rag-app`."""

import sys

from rag_app.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
