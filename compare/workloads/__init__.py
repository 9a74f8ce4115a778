# SPDX-License-Identifier: MIT
"""workloads: what each allocator is given to do."""
