"""A Kafka REST proxy for the lab: the part of Confluent's REST API v2 that the pipeline uses.

Covered, with Confluent's paths, media types, status and error codes:

- ``POST /topics/{topic}``: records with key, value and partition, embedded as ``json`` or ``binary``. A record that
  fails has its error in its place of a 200.
- ``GET /topics``, ``GET /topics/{topic}``.
- ``kafka-rest.properties``: ``listeners``, ``bootstrap.servers``, ``access.control.allow.origin``, ``client.*``,
  ``producer.*``, ``admin.*``.

Known differences:

- There is no consumer API: ``/consumers/…`` is 404, and ``consumer.*`` properties are ignored. No task of the pipeline
  reads Kafka through the proxy.
- An embedded JSON value is written to Kafka byte for byte as it was sent; Confluent's strips whitespace between tokens.
- A record that Kafka has not accepted after 20 s (``producer.delivery.timeout.ms``) is answered with 50003. API Gateway
  gives up on the request only after that, so the caller learns the fate of each record.
- Every answer to an allowed origin names it; preflights are not answered, since API Gateway does that.
- It listens on 127.0.0.1:8082 unless ``listeners`` is set, over plain HTTP only. A request is limited to 64 MiB (413).
- A record is limited to ``producer.max.request.size`` bytes (1 MiB by default) and to the broker's
  ``message.max.bytes``. A larger one is answered with 50002; the other records of the request are written.
- Java login modules (``sasl.jaas.config``) cannot be used. A Kafka property that librdkafka does not know is ignored
  with a warning, as in a Java client.

The package uses relative imports only: it is packed as an archive and runs on the client machine, outside the lab.
"""
