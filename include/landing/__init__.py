"""From Kafka to the bucket: the offsets a run accounts for, the objects and dead letters that hold them."""
