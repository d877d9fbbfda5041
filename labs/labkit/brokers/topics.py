"""Makes the topics that LAB_TOPICS names, as the init service of the compose lane: `… topics ADDRESS`."""

from __future__ import annotations

import os
import sys

from labkit.brokers import client

if __name__ == "__main__":
    topics = os.environ["LAB_TOPICS"].split()
    client.create_topics(sys.argv[1], topics)
    if topics:
        client.await_groups(sys.argv[1], topics[0])
