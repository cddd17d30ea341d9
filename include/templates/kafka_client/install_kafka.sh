# Installs Kafka's command-line tools in ~/kafka. Takes URL and SHA256.
set -euo pipefail
{% include 'kafka_client/archives.sh' %}

install_archive "$HOME/kafka" bin/kafka-topics.sh "$URL" "$SHA256"
