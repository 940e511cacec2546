"""``python -m mithril`` is the command ``mithril``."""

import sys

from mithril.cli import main

if __name__ == "__main__":
    sys.exit(main())
