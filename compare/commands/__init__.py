# SPDX-License-Identifier: MIT
"""commands: the sub-commands of the command line."""
