# SPDX-License-Identifier: MIT
"""analyse: from the runs to ratios, intervals and verdicts."""
