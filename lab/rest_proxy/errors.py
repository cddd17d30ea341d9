"""Errors in Confluent's format, ``{"error_code": …, "message": …}``, and the codes for errors of Kafka's clients."""

from __future__ import annotations

from confluent_kafka import KafkaError

KAFKA_ERROR = 50002
KAFKA_RETRIABLE_ERROR = 50003
AUTHENTICATION_ERROR = 40101
AUTHORIZATION_ERROR = 40301

RETRIABLE = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._FATAL,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._PURGE_INFLIGHT,
    KafkaError._PURGE_QUEUE,
    KafkaError._QUEUE_FULL,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._TRANSPORT,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._WAIT_COORD,
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.INVALID_MSG,
    KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}
UNAUTHENTICATED = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}
UNAUTHORIZED = {
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
}


class ApiError(Exception):
    """An error to answer the request with."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def kafka_code(error: KafkaError) -> int:
    code = error.code()
    if code in RETRIABLE:
        return KAFKA_RETRIABLE_ERROR
    if code in UNAUTHENTICATED:
        return AUTHENTICATION_ERROR
    return AUTHORIZATION_ERROR if code in UNAUTHORIZED else KAFKA_ERROR


def kafka_api_error(error: KafkaError) -> ApiError:
    code = kafka_code(error)
    prefix = {KAFKA_ERROR: "Kafka error: ", KAFKA_RETRIABLE_ERROR: "Retriable Kafka error: "}.get(code, "")
    return ApiError(code // 100, code, f"{prefix}{error.str()}")


def unprocessable(message: str) -> ApiError:
    return ApiError(422, 422, message)


def topic_not_found() -> ApiError:
    return ApiError(404, 40401, "Topic not found.")
