"""What a master's port hears that no worker of ours has said.

A single message that Locust cannot read, from a port scanner say, ends the greenlet that listens,
and with it the run: all workers seem to be missing from then on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from locust.exception import RPCError, RPCReceiveError, RPCSendError
from locust.rpc import Message
from locust.rpc.zmqrpc import Server
from locust.runners import MasterRunner

logger = logging.getLogger(__name__)


def endure_strange_bytes() -> None:
    """Have Locust log what is no message and go on, in place of falling silent.

    Locust would also take the sender for a worker to be reset, and the message before for this one.
    """
    receive = Server.recv_from_client

    def receive_or_refuse(self: Server) -> tuple[str, Message]:
        try:
            addressed: tuple[str, Message] = receive(self)  # type: ignore[no-untyped-call]
        except (RPCError, RPCSendError):
            raise  # of the network, which Locust resets
        except RPCReceiveError as error:
            raise RPCReceiveError(str(error)) from error
        except Exception as error:
            raise RPCReceiveError(f"no message: {type(error).__name__}: {error}") from error
        return addressed

    Server.recv_from_client = receive_or_refuse  # type: ignore[method-assign, assignment]


def endure_strange_messages(master: MasterRunner, remark: Callable[[str], None]) -> None:
    """Have a message that cannot be acted upon be logged and remarked."""
    handle = master.handle_message

    def handle_or_remark(client_id: str, msg: Message) -> None:
        try:
            if msg.type == "stats":
                _check_statistics(msg.data)
            handle(client_id, msg)
        except Exception as error:
            what = f"a message of type {str(msg.type)[:40]!r} from {client_id[:60]!r}"
            logger.error("%s made no sense: %r", what, error)  # noqa: TRY400 -- not our trace
            remark(f"{what} made no sense ({type(error).__name__})")

    master.handle_message = handle_or_remark  # type: ignore[method-assign]


def _check_statistics(data: object) -> None:
    """What Locust's own listeners would stumble over, as if the test code had raised."""
    if not isinstance(data, dict) or not data.keys() >= {"stats", "stats_total", "errors"}:
        raise ValueError("no statistics")
