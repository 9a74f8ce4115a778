# SPDX-License-Identifier: MIT
"""The command line: `python3 compare` with the folder's path, or `python3 -m compare` beside it."""

import sys
from pathlib import Path

if not __package__:  # Python looks for modules inside of the folder it was given, not beside it
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from compare.commands.main import main  # noqa: E402 (the path comes first)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
