# SPDX-License-Identifier: MIT
"""report: tables, charts and words made of a summary."""
