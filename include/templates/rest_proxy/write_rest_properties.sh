# Takes BOOTSTRAP_SERVERS and ZOOKEEPER (may be empty), which the shell puts into the properties.
set -euo pipefail
{% include 'kafka_client/files.sh' %}

mkdir -p "$HOME/kafka-rest"
sed '/^$/d' <<PROPERTIES | write_if_different "$HOME/kafka-rest/kafka-rest.properties"
{% include 'rest_proxy/kafka-rest.properties' %}
PROPERTIES
