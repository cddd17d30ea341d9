# Starts a Kafka broker (KRaft, one node) on this machine, which outlives this session: as a service of systemd, which
# also starts it when the machine starts, or where there is none as a process. Takes HOST and PORT, where clients reach
# it; CONTROLLER_PORT, which only this machine does; START_SECONDS, SYSTEMD and UNITS.
# A broker that answers with the current archive and properties stays; one that does not is stopped and started again.
# What it holds stays in ~/kafka-broker/data.
set -euo pipefail
{% include 'kafka_client/files.sh' %}
{% include 'kafka/broker.sh' %}
BOOTSTRAP_SERVERS=$HOST:$PORT
{% include 'kafka_client/tools.sh' %}
run_class=$HOME/kafka/bin/kafka-run-class.sh
broker_log=$home/broker.log

[ -x "$run_class" ] || fail "$run_class is missing: run the task kafka first"
[ -f "$HOME/kafka/bin/client.properties" ] || fail "client.properties are missing: run the task client_properties first"
version=$(find "$HOME/kafka/libs/" -name 'kafka-clients-*.jar' |
  sed -n 's/.*kafka-clients-\([0-9][0-9]*\.[0-9][0-9.]*[0-9]\).*/\1/p' | head -n 1)
if ! echo "$version" | awk -F. '{ exit !($1 > 3 || ($1 == 3 && $2 >= 3)) }'; then
  fail "Kafka ${version:-of an unknown version} in $HOME/kafka runs only with ZooKeeper, which is not started here:" \
    "set downloads.kafka to an archive of Kafka 3.3 or newer (and of 4.2 or newer for its tools), or kafka.mode to msk"
fi

answers() {
  (exec 3<>"/dev/tcp/$HOST/$PORT") 2>/dev/null && kafka topics --list >/dev/null 2>&1
}

# A process that was just started has this script's name until it becomes the broker, so running() would miss it.
started() {
  if [ -n "$service" ]; then
    case $(systemctl is-active "$unit") in active | activating | reloading) return 0 ;; esac
    return 1
  fi
  kill -0 "$pid" 2>/dev/null
}

# await_answer SECONDS CHECK: gives up early when CHECK fails.
await_answer() {
  local deadline=$(($(date +%s) + $1))
  while [ "$(date +%s)" -lt "$deadline" ]; do
    "$2" || return 1
    if answers; then return 0; fi
    sleep 0.5
  done
  return 1
}

end_of_log() {
  if [ -n "$service" ]; then
    sudo -n journalctl --unit "$unit" --lines 20 --no-pager >&2 || true
  else
    tail -n 20 "$broker_log" >&2 || true
  fi
}

if is_there "$home" && [ ! -d "$home" ]; then in_the_way "$home"; fi
mkdir -p "$home"
heap=-Xmx512m
write_if_different "$home" server.properties '^$' >&2 <<PROPERTIES
{% include 'kafka/server.properties' %}
PROPERTIES
service=
if has_systemd; then service=yes; fi
new_unit=$(mktemp "$home/unit.XXXXXX")
trap 'rm -f "$new_unit"' EXIT
cat >"$new_unit" <<UNIT
[Unit]
Description=Kafka broker of pinterest-pipeline
Wants=network-online.target
After=network-online.target

[Service]
User=$(id -un)
Environment="KAFKA_HEAP_OPTS=$heap" "JAVA_HOME=${JAVA_HOME:-}" "PATH=/usr/local/bin:/usr/bin:/bin" "LOG_DIR=$home/logs"
ExecStart=$HOME/kafka/bin/kafka-run-class.sh kafka.Kafka $home/server.properties
SuccessExitStatus=143
Restart=always
RestartSec=5
LimitNOFILE=100000

[Install]
WantedBy=multi-user.target
UNIT
wanted=$({ cat "$home/server.properties" "$new_unit" && cat "$HOME/kafka/.archive" 2>/dev/null; } | cksum || true)
as="a process"
if [ -n "$service" ]; then as="the service $unit"; fi

up() {
  if [ -n "$service" ]; then systemctl is-active --quiet "$unit" && cmp -s "$new_unit" "$UNITS/$unit"; else running; fi
}

if up && [ "$(cat "$home/.started" 2>/dev/null)" = "$wanted" ] && await_answer 30 up; then
  echo "The broker answers at $HOST:$PORT, as $as" >&2
  echo unchanged
  exit 0
fi
stop_broker
if (exec 3<>"/dev/tcp/$HOST/$PORT") 2>/dev/null; then
  fail "Port $PORT of $HOST is taken by a process that is not our broker: stop it, or set kafka.port"
fi
if [ ! -f "$home/data/meta.properties" ]; then
  echo "Formatting $home/data" >&2
  "$run_class" kafka.tools.StorageTool format --ignore-formatted \
    -t "$("$run_class" kafka.tools.StorageTool random-uuid)" -c "$home/server.properties" >&2
fi

if [ -n "$service" ]; then
  sudo -n install -m 644 "$new_unit" "$UNITS/$unit"
  sudo -n systemctl daemon-reload
  sudo -n systemctl enable --quiet "$unit"
  sudo -n systemctl start "$unit"
else
  if [ -f "$broker_log" ]; then mv "$broker_log" "$broker_log.1"; fi
  # Job control gives the broker its own process group, so that ending this script does not end the broker.
  set -m
  KAFKA_HEAP_OPTS=$heap LOG_DIR=$home/logs nohup "$run_class" kafka.Kafka "$home/server.properties" >>"$broker_log" 2>&1 </dev/null &
  pid=$!
  set +m
  echo "$pid" >"$home/broker.pid"
fi
if ! await_answer "$START_SECONDS" started; then
  end_of_log
  echo "The broker, as $as, does not answer at $HOST:$PORT within $START_SECONDS s; the end of its log is above" >&2
  exit 1
fi
echo "$wanted" >"$home/.started"
echo "changed: the broker answers at $HOST:$PORT, as $as"
