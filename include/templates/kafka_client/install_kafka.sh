# Installs Kafka's command-line tools in ~/kafka. Takes URL and SHA256.
set -euo pipefail
{% include 'kafka_client/archives.sh' %}

# Since 4.2 all tools take --command-config, and the console consumer --formatter-property.
has_the_tools() {
  local found
  found=$(find "$1/libs" -name 'kafka-clients-*.jar' 2>/dev/null |
    sed -n 's/.*kafka-clients-\([0-9][0-9]*\.[0-9][0-9.]*[0-9]\).*/\1/p' | head -n 1) || true
  if [ -z "$found" ]; then
    fail "$(shown "$URL") (setting downloads.kafka) holds no libs/kafka-clients-….jar: it is not Kafka's binary archive." \
      "Expected one such as kafka_2.13-4.3.1.tgz, not kafka-4.3.1-src.tgz. Nothing was replaced"
  fi
  if ! echo "$found" | awk -F. '{ exit !($1 > 4 || ($1 == 4 && $2 >= 2)) }'; then
    fail "$(shown "$URL") is Kafka $found, but 4.2 or newer is needed: its tools take options that this pipeline uses, and work" \
      "with older brokers. Set downloads.kafka to a newer archive and its SHA-256. Nothing was replaced"
  fi
}

install_archive "$HOME/kafka" bin/kafka-topics.sh "$URL" "$SHA256" has_the_tools
