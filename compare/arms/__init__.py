# SPDX-License-Identifier: MIT
"""arms: the allocators that are compared, and how builds of ours are made."""
