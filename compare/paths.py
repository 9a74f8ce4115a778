# SPDX-License-Identifier: MIT
"""paths.py: where the package and the source tree around it lie."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
SOURCE = PACKAGE.parent
