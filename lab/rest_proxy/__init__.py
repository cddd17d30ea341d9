"""A Kafka REST proxy for the lab: the part of Confluent's REST API v2 that the pipeline and its seeds use.

Covered, with Confluent's paths, media types, status and error codes:

- ``POST /topics/{topic}``: records with key, value and partition, embedded as ``json`` or ``binary``; an error of a
  single record is in its place of a 200.
- ``GET /topics``, ``GET /topics/{topic}``.
- ``POST /consumers/{group}`` and of its instances: ``subscription`` (POST, GET, DELETE), ``records`` (GET),
  ``offsets`` (POST), ``DELETE``; ``json`` and ``binary``.
- ``kafka-rest.properties``: ``listeners``, ``bootstrap.servers``, ``client.*``, ``producer.*``, ``consumer.*``,
  ``admin.*``.

Known differences:

- An embedded JSON value is written to Kafka byte for byte as it was sent; Confluent's removes blanks between tokens.
- A record that Kafka has not taken after 20 s (``producer.delivery.timeout.ms``) is answered with 50003: that is
  before API Gateway gives up on the request, so that the caller knows each record's fate.
- It listens on 127.0.0.1:8082 where ``listeners`` is not set, plain HTTP only; a request may have 64 MiB (413).
- A record may have ``producer.max.request.size`` bytes, 1 MiB where that is not set, and what the broker's
  ``message.max.bytes`` allows; one that is larger is answered with 50002, the others of the request are written.
- Java login modules (``sasl.jaas.config``) cannot be used. A Kafka property that librdkafka does not know is ignored
  with a warning, as a Java client does.
- A consumer that meets a value that is not JSON answers 50002 until it is deleted, as Confluent's does.

The package has relative imports only: it is packed as an archive and runs on the client machine, outside of the lab.
"""
