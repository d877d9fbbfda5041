"""Stand-ins for the three services that no machine of ours can run. The triggers, hooks and clients are real.

* Google Pub/Sub: a gRPC server on this machine that speaks the service's own protocol; the provider's client talks
  to it over the wire.
* Azure Service Bus: the client's connection is replaced; what it hands out are the client's own message objects.
* IBM MQ: IBM's library in C is replaced, which is not on the package index; its Python classes above it are real.

What they answer was written by us from the services' public interfaces. Nothing here ever saw a cloud.
"""

from __future__ import annotations

import collections
import os
import sys
import threading
import types
from concurrent import futures
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any, Self
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator

SENT_AT = 1_790_000_000
"""When every message was sent, in seconds: the same in each run, so that passports compare."""


class Service:
    """A queue of texts as a service keeps it: what waits, and what was taken and not yet acknowledged."""

    def __init__(self) -> None:
        self.waiting: collections.deque[tuple[int, str]] = collections.deque()
        self.taken: dict[int, str] = {}
        self.changed = threading.Condition()
        self.number = 0

    def publish(self, text: str) -> None:
        """Add a message."""
        with self.changed:
            self.number += 1
            self.waiting.append((self.number, text))
            self.changed.notify_all()

    def take(self, limit: int, seconds: float) -> list[tuple[int, str]]:
        """Hand out messages, waiting for the first one; they stay on the service until they are acknowledged."""
        with self.changed:
            self.changed.wait_for(lambda: bool(self.waiting), timeout=seconds)
            out = [self.waiting.popleft() for _ in range(min(limit, len(self.waiting)))]
            self.taken.update(out)
            return out

    def acknowledge(self, number: int) -> None:
        """Forget a message."""
        with self.changed:
            self.taken.pop(number, None)

    def forget(self) -> None:
        """Be empty, as at the beginning."""
        self.waiting.clear()
        self.taken.clear()
        self.number = 0

    @property
    def left(self) -> int:
        """How many messages the service would still deliver, now or later."""
        return len(self.waiting) + len(self.taken)


# Google Pub/Sub.


@contextmanager
def pubsub() -> Iterator[Service]:
    """Serve `google.pubsub.v1.Subscriber`, as far as the trigger asks, and lead the provider's client to it."""
    import grpc
    from airflow.providers.google.cloud.hooks import pubsub as hook
    from google.pubsub_v1 import types as api
    from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

    service = Service()

    def pull(request: Any, _: Any) -> Any:
        taken = service.take(request.max_messages, 0 if request.return_immediately else 0.2)
        messages = [
            api.ReceivedMessage(
                ack_id=f"ack-{number}",
                message=api.PubsubMessage(
                    data=text.encode(), message_id=str(number), publish_time={"seconds": SENT_AT + number}
                ),
            )
            for number, text in taken
        ]
        return api.PullResponse(received_messages=messages)

    def acknowledge(request: Any, _: Any) -> Any:
        from google.protobuf.empty_pb2 import Empty

        for name in request.ack_ids:
            service.acknowledge(int(name.removeprefix("ack-")))
        return Empty()

    handlers = {
        "Pull": grpc.unary_unary_rpc_method_handler(
            pull, request_deserializer=api.PullRequest.deserialize, response_serializer=api.PullResponse.serialize
        ),
        "Acknowledge": grpc.unary_unary_rpc_method_handler(
            acknowledge,
            request_deserializer=api.AcknowledgeRequest.deserialize,
            response_serializer=lambda empty: empty.SerializeToString(),
        ),
    }
    pool = futures.ThreadPoolExecutor(4, thread_name_prefix="ThreadPoolExecutor-pubsub")
    server = grpc.server(pool)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("google.pubsub.v1.Subscriber", handlers),))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    client = hook.SubscriberAsyncClient

    def lead(**_: Any) -> Any:
        """Make the real client, on a channel to this machine."""
        return client(transport=SubscriberGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(address)))

    with mock.patch.object(hook, "SubscriberAsyncClient", lead):
        yield service
    server.stop(None).wait()


# Azure Service Bus.


@contextmanager
def service_bus() -> Iterator[Service]:
    """Replace the client's connection; receiver and messages do what the hook asks of them."""
    from airflow.providers.microsoft.azure.hooks import asb
    from azure.servicebus import ServiceBusReceivedMessage
    from azure.servicebus._pyamqp.message import Message

    service = Service()

    class Receiver:
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def receive_messages(self, max_message_count: int, max_wait_time: float | None) -> list[Any]:
            # The service waits for ever without a limit; here it waits a moment, so that the run comes to its end.
            taken = service.take(max_message_count, min(max_wait_time or 0.2, 0.2))
            out = []
            for number, text in taken:
                message = ServiceBusReceivedMessage(
                    Message(data=[text.encode()], message_annotations={b"x-opt-sequence-number": number}),
                    receiver=self,
                    frame=[0, number, str(number).encode()],
                )
                out.append(message)
            return out

        def complete_message(self, message: Any) -> None:
            service.acknowledge(message.sequence_number)

    class Client:
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        @classmethod
        def from_connection_string(cls, *_: object, **__: object) -> Client:
            return cls()

        def get_queue_receiver(self, queue_name: str) -> Receiver:
            del queue_name
            return Receiver()

    with mock.patch.object(asb, "ServiceBusClient", Client):
        yield service


# IBM MQ.


@contextmanager
def mq() -> Iterator[Service]:
    """Replace the C library below IBM's Python classes: connect, open, get, close, disconnect."""
    service = Service()
    library: Any = types.ModuleType("ibmmq.ibmmqc")
    library.__version__ = metadata.version("ibmmq")
    library.__cmdlevel__ = "0"
    library.__mqbuild__ = "none"
    library.__strucversions__ = {}
    fine = (0, 0)  # completion and reason

    def get(_connection: object, _queue: object, descriptor: bytes, options: bytes, _length: int) -> tuple[Any, ...]:
        import ibmmq

        asked = ibmmq.GMO()
        asked.unpack(options)
        taken = service.take(1, asked.WaitInterval / 1000)
        if not taken:
            return (b"", descriptor, options, 0, ibmmq.CMQC.MQCC_FAILED, ibmmq.CMQC.MQRC_NO_MSG_AVAILABLE)
        number, text = taken[0]
        if asked.Options & ibmmq.CMQC.MQGMO_NO_SYNCPOINT:  # gone from the queue as soon as it is handed out
            service.acknowledge(number)
        body = text.encode()
        return (body, descriptor, options, len(body), *fine)

    library.MQCONNX = lambda *_: (1, *fine)
    library.MQOPEN = lambda _connection, descriptor, _options: (1, descriptor, *fine)
    library.MQGET = get
    library.MQCLOSE = lambda *_: fine
    library.MQDISC = lambda *_: fine
    library.MQCBINIT = lambda *_: None
    library.MQLOGCF = lambda *_: None
    # Its tracing asks the library for attributes of the queue, and has nothing to do with messages.
    with (
        mock.patch.dict(os.environ, MQIPY_NOOTEL="1"),
        mock.patch.dict(sys.modules, {"ibmmq.ibmmqc": library}),
    ):
        import ibmmq
        from airflow.providers.ibm.mq.hooks import mq as hook

        with mock.patch.object(hook, "ibmmq", ibmmq):
            yield service
