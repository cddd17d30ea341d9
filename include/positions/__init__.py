"""Where records are: ranges of Kafka offsets and of Kinesis sequence numbers, their gaps and overlaps."""
