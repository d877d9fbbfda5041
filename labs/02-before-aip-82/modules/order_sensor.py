"""A plain sensor for Kafka: it waits in a worker slot, as every sensor does that cannot defer itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.apache.kafka.hooks.consume import KafkaConsumerHook
from airflow.sdk import BaseSensorOperator, PokeReturnValue
from tea_counter import read

if TYPE_CHECKING:
    from airflow.sdk import Context


class OrderSensor(BaseSensorOperator):
    """Waits until there is an order on the topic and returns what it took.

    Args:
        topic: The Kafka topic.
        kafka_config_id: The connection, and with it the consumer group.
        most: How many orders to take at once; those beyond stay on the topic.
    """

    def __init__(self, *, topic: str, kafka_config_id: str, most: int, **kwargs: Any) -> None:
        super().__init__(poke_interval=0.1, mode="poke", **kwargs)
        self.topic = topic
        self.kafka_config_id = kafka_config_id
        self.most = most

    def execute(self, context: Context) -> Any:
        """Join the consumer group once, not at every poke."""
        self._consumer = KafkaConsumerHook([self.topic], self.kafka_config_id).get_consumer()
        try:
            return super().execute(context)
        finally:
            self._consumer.close()

    # [poke]
    def poke(self, context: Context) -> PokeReturnValue:
        """Take the next order and, up to `most`, those that wait behind it."""
        del context
        first = self._consumer.poll(timeout=1)
        if first is None:
            return PokeReturnValue(is_done=False)
        more = self._consumer.consume(self.most - 1, timeout=0.05) if self.most > 1 else []
        taken = [first, *more]
        self._consumer.commit(message=taken[-1], asynchronous=False)
        return PokeReturnValue(is_done=True, xcom_value=[read(message) for message in taken])

    # [/poke]
