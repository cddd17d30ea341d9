# Writes the properties with which every Kafka tool on this machine logs in to the brokers.
set -euo pipefail
{% include 'kafka_client/files.sh' %}

[ -d "$HOME/kafka/bin" ] || fail "$HOME/kafka/bin is missing: run the task kafka first"
earlier='^(security\.protocol=[A-Z_]+|sasl\.mechanism=AWS_MSK_IAM|sasl\.(jaas\.config|client\.callback\.handler\.class)=.*)$'
write_if_different "$HOME/kafka" bin/client.properties "$earlier" <<'PROPERTIES'
{% include 'kafka_client/client.properties' %}
PROPERTIES
