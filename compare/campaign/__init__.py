# SPDX-License-Identifier: MIT
"""campaign: a comparison over several machines."""
