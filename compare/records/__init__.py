# SPDX-License-Identifier: MIT
"""records: what stands in runs.jsonl, written and read."""
