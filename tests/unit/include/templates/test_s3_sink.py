"""What Connect is told, as Airflow renders it."""

from __future__ import annotations

from include.aws.properties import parse_properties
from tests.unit.plugins.msk_connect_parts import rendered

S3_SINK = {
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "tasks.max": "3",
    "topics.regex": r"0e36c8cd403d\.(pin|geo|user)",
    "s3.region": "us-east-1",
    "s3.bucket.name": "user-0e36c8cd403d-bucket",
    "topics.dir": "topics",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "partitioner.class": "io.confluent.connect.storage.partitioner.DefaultPartitioner",
    "schema.compatibility": "NONE",
    "flush.size": "1000",
    "rotate.schedule.interval.ms": "10000",
    "timezone": "UTC",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
    "transforms": "record,position",
    "transforms.record.type": "org.apache.kafka.connect.transforms.HoistField$Value",
    "transforms.record.field": "_value",
    "transforms.position.type": "org.apache.kafka.connect.transforms.InsertField$Value",
    "transforms.position.topic.field": "_topic",
    "transforms.position.partition.field": "_partition",
    "transforms.position.offset.field": "_offset",
    "transforms.position.timestamp.field": "_timestamp",
    "consumer.override.isolation.level": "read_committed",
    "errors.tolerance": "all",
    "errors.log.enable": "true",
    "errors.deadletterqueue.topic.name": "0e36c8cd403d-dead-letters",
    "errors.deadletterqueue.topic.replication.factor": "2",
    "errors.deadletterqueue.context.headers.enable": "true",
    "producer.override.max.request.size": "10485760",
}


def test_connector_configuration_by_default():
    assert parse_properties(rendered("s3_sink/s3-sink.properties")) == S3_SINK


def test_connector_configuration_of_one_environment():
    sink = {
        "connector_class": "lab.Sink",
        "tasks": 1,
        "flush_size": 10,
        "rotate_ms": 500,
    }

    found = parse_properties(rendered("s3_sink/s3-sink.properties", s3_sink=sink, kafka={"replication_factor": 1}))

    assert found == S3_SINK | {
        "connector.class": "lab.Sink",
        "tasks.max": "1",
        "flush.size": "10",
        "rotate.schedule.interval.ms": "500",
        "errors.deadletterqueue.topic.replication.factor": "1",
    }


def test_worker_configuration_is_that_of_earlier_versions():
    """MSK Connect requires both converters. Another configuration would have the connector deleted and recreated."""
    assert rendered("s3_sink/connect-worker.properties").strip() == (
        "key.converter=org.apache.kafka.connect.storage.StringConverter\n"
        "value.converter=org.apache.kafka.connect.json.JsonConverter\n"
        "value.converter.schemas.enable=false"
    )
