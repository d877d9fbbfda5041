"""Moto's server: answers for S3 and SQS on this machine as AWS would, so that no lab needs an account.

It keeps everything in memory. A restart forgets it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from labkit.airflow import health
from labkit.errors import LabError
from labkit.stack.supervisor import Program
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labkit.stack.state import State

NAME = "aws"
ACCOUNT = "123456789012"
"""The account that moto's clients belong to, whatever their key."""
_BATCH = 10


def program(state: State) -> Program:
    """Return its process; it starts when a lab asks for it."""
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(state.ports[NAME])]
    return Program(name=NAME, command=command, folder=state.folder)


def check() -> None:
    """Do nothing: it is a package like the others, so it can always be had."""


def healthy(state: State) -> bool:
    """Tell whether it answers now."""
    return health.answers(f"{state.aws_url}/moto-api/")


def client(state: State, service: str) -> Any:
    """Return a client of one of its services, such as `sqs`; it is asked twice before it is given up."""
    import boto3  # noqa: PLC0415  half a second, and most commands do not need it
    from botocore.config import Config  # noqa: PLC0415

    return boto3.client(
        service,
        endpoint_url=state.aws_url,
        region_name="us-east-1",
        aws_access_key_id="lab",
        aws_secret_access_key="lab",  # noqa: S106  moto takes any
        config=Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=10),
    )


def queue_url(queue: str) -> str:
    """Return the address of a queue as AWS writes it; moto looks at its last part only."""
    return f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{queue}"


def create_queues(state: State, queues: Iterable[str]) -> None:
    """Make the queues that are missing."""
    wanted = list(queues)
    if wanted:
        sqs = client(state, "sqs")
        for queue in wanted:
            sqs.create_queue(QueueName=queue)


def publish(state: State, queue: str, values: Sequence[str]) -> list[str]:
    """Put the values into a queue of SQS, in order, ten in a request as SQS allows.

    Returns:
        For each value the id that SQS gave the message.

    Raises:
        LabError: It does not answer, or there is no such queue.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    sqs = client(state, "sqs")
    entries = [{"Id": str(position), "MessageBody": value} for position, value in enumerate(values)]
    ids: list[str] = []
    try:
        for first in range(0, len(entries), _BATCH):
            sent = sqs.send_message_batch(QueueUrl=queue_url(queue), Entries=entries[first : first + _BATCH])
            ids += [str(one["MessageId"]) for one in sent["Successful"]]
        return ids  # noqa: TRY300  nothing else follows
    except (BotoCoreError, ClientError) as error:
        raise LabError("aws.refused", address=state.aws_url, queue=queue, details=str(error)) from error


def purge(state: State, queue: str) -> None:
    """Empty a queue, those messages included that somebody has taken and not deleted.

    SQS does so once a minute at most, and so does what stands in for it: it may have to be waited for.

    Raises:
        TimeoutError: It was not done in more than a minute.
    """
    if held(state, queue):
        until(lambda: _purged(state, queue), seconds=70, pause=1)


def _purged(state: State, queue: str) -> bool:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        client(state, "sqs").purge_queue(QueueUrl=queue_url(queue))
    except ClientError as error:
        if error.response["Error"]["Code"].endswith("PurgeQueueInProgress"):
            return False
        raise
    return True


def held(state: State, queue: str) -> int:
    """Return how many messages a queue has, waiting or taken and not deleted."""
    return sum(_counts(state, queue))


def waiting(state: State, queue: str) -> int:
    """Return how many messages of a queue nobody has taken."""
    return _counts(state, queue)[0]


def _counts(state: State, queue: str) -> tuple[int, int]:
    """Return how many messages wait, and how many are taken and not deleted, at one moment."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client(state, "sqs").get_queue_attributes(QueueUrl=queue_url(queue), AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])
