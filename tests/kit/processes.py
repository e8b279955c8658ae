"""Child processes that misbehave before they are anything."""

import sys
from multiprocessing.connection import Connection


def dies_at_its_start(connection: Connection) -> None:
    """End at once, as when a library cannot be loaded."""
    sys.exit(3)
