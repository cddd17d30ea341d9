# Takes BOOTSTRAP_SERVERS and ZOOKEEPER (may be empty), which the shell puts into the properties.
set -euo pipefail
{% include 'kafka_client/files.sh' %}

home=$HOME/kafka-rest
if is_there "$home" && [ ! -d "$home" ]; then in_the_way "$home"; fi
mkdir -p "$home"
earlier='^(listeners|bootstrap\.servers|zookeeper\.connect|producer\.acks|client\.(security|sasl)\.[a-z.]+)=.*$'
sed '/^$/d' <<PROPERTIES | write_if_different "$home" kafka-rest.properties "$earlier"
{% include 'rest_proxy/kafka-rest.properties' %}
PROPERTIES
