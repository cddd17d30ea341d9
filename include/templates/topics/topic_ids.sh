# The ids that Kafka gave to topics: lines "topic <name> <id>", of those topics that exist. A topic that was deleted and
# made again has another id. Takes BOOTSTRAP_SERVERS and TOPICS (separated by spaces).
set -euo pipefail
{% include 'kafka_client/tools.sh' %}

kafka topics --describe --if-exists --topic "$(pattern "$TOPICS")" |
  sed -n 's/^Topic: *\([^[:space:]]*\).*TopicId: *\([^[:space:]]*\).*/topic \1 \2/p'
