# SPDX-License-Identifier: MIT
"""measure: makes the runs of a session."""
