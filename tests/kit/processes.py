"""Child processes that are next to nothing, some of them misbehaving."""

import sys
from multiprocessing.connection import Connection

from inference.channels import Pipe
from inference.messages import Connected, Ping, Pong


def dies_at_its_start(connection: Connection) -> None:
    """End at once, as when a library cannot be loaded."""
    sys.exit(3)


def answers(connection: Connection) -> None:
    """Say something first, then answer to every ping, as actors do."""
    pipe = Pipe(connection)
    pipe.send(Connected())
    while True:
        try:
            if isinstance(pipe.receive(), Ping):
                pipe.send(Pong())
        except EOFError:
            return
