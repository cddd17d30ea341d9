# Writes the properties with which every Kafka tool on this machine logs in to the brokers.
set -euo pipefail
{% include 'kafka_client/files.sh' %}

[ -d "$HOME/kafka/bin" ] || {
  echo "$HOME/kafka/bin is missing: run the task kafka first" >&2
  exit 1
}
write_if_different "$HOME/kafka/bin/client.properties" <<'PROPERTIES'
{% include 'kafka_client/client.properties' %}
PROPERTIES
