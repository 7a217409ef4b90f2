"""`python -m execsvc`, and what the installed command `execsvc` calls.

Nothing but the way in: the verbs are in execsvc/cli.
"""

import sys

from execsvc.cli.main import run


def main() -> None:
    """Run one command line and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
