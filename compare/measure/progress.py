# SPDX-License-Identifier: MIT
"""progress.py: what is going on, on the terminal: one line that rewrites itself.

Called by the runner and session.py. Where standard output is no terminal, a line every ten
seconds and at the end of each phase.
"""

import sys
import time
from typing import TextIO

EVERY_S = 10.0


class Progress:
    def __init__(self, out: TextIO = sys.stdout) -> None:
        self.out = out
        self.is_terminal = out.isatty()
        self.last = -EVERY_S

    def say(self, text: str) -> None:
        self.out.write(("\r\x1b[K" if self.is_terminal else "") + text + "\n")
        self.out.flush()

    def step(self, text: str, is_last: bool = False) -> None:
        if self.is_terminal:
            self.out.write("\r\x1b[K" + text[:100])
            self.out.flush()
        elif is_last or time.monotonic() - self.last >= EVERY_S:
            self.last = time.monotonic()
            self.say(text)
