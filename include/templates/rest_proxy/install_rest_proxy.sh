# Installs the Kafka REST proxy in ~/kafka-rest/current. Takes URL and SHA256.
set -euo pipefail
{% include 'kafka_client/archives.sh' %}

no_check() {
  :
}

install_archive "$HOME/kafka-rest/current" bin/kafka-rest-start "$URL" "$SHA256" no_check
