# SPDX-License-Identifier: MIT
"""compare: the comparison of allocators, from the run to the report; see README.md."""
