"""`python -m aila_pipeline_tests.stack_runner HOME PORT [MODULE]`: a stack in a process of its own, as for `aila up`.

Lives here: the command line for the tests that kill the supervisor or signal it. Does not: any check.
"""

import sys
from pathlib import Path

from aila_pipeline.settings import Settings
from aila_pipeline.stack import Stack

SLEEPING = "aila_pipeline_tests.sleeping_definitions"


def main() -> int:
    """Runs until told to stop; the exit code is the stack's."""
    home, port, *module = sys.argv[1:]
    stack = Stack(Settings(home=Path(home)), dagster_port=int(port), module=module[0] if module else SLEEPING)
    return stack.run_forever()


if __name__ == "__main__":
    sys.exit(main())
