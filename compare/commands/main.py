# SPDX-License-Identifier: MIT
"""main.py: which sub-command the command line asks for.

Called by __main__.py. The first word names a sub-command; all others are its own. Status: that of
the sub-command; 2 where there is no such one.
"""

import sys
from typing import Any

from . import ab, ablate, campaign, curves, insn, listing, report, run

COMMANDS = {
    "run": (run.main, "hakmem and its peers over all rows"),
    "calibrate": (run.calibrate, "copies of one library: what the harness finds between them"),
    "ab": (ab.main, "two builds against each other"),
    "ablate": (ablate.main, "what each build option and switch is worth"),
    "insn": (insn.main, "instructions per operation, and the gate on them"),
    "curves": (curves.main, "the memory of servers through a peak"),
    "campaign": (campaign.main, "a comparison over several machines"),
    "report": (report.main, "renders, packs, imports or exports a folder of results"),
    "list": (listing.main, "the rows and allocators there are"),
}


def usage() -> Any:
    lines = [f"  {name:<11}{words}" for name, (_, words) in COMMANDS.items()]
    return "\n".join(["usage: python3 compare COMMAND ...; COMMAND --help lists its options",
                      *lines])


def main(argv: list[str]) -> Any:
    name = argv[0] if argv else ""
    if name in ("-h", "--help"):
        print(usage())
        return 0
    if name not in COMMANDS:
        print(usage(), file=sys.stderr)
        return 2
    return COMMANDS[name][0](argv[1:])
