# Starts the REST proxy as a process that outlives this session. Takes LISTEN_HOST, PORT and START_SECONDS.
# A proxy that answers with the current archive and properties stays; one that hangs or has old ones is replaced.
set -euo pipefail
{% include 'kafka_client/archives.sh' %}

home=$HOME/kafka-rest
host=$LISTEN_HOST
if [ "$host" = 0.0.0.0 ]; then host=127.0.0.1; fi
url=http://$host:$PORT/topics
log=$home/kafka-rest.log

[ -f "$home/kafka-rest.properties" ] || fail "$home/kafka-rest.properties is missing: run the task properties first"
cat "$home/kafka-rest.properties" "$home/current/.archive" >"$work/wanted"
echo "${CLASSPATH:-}" >>"$work/wanted"
wanted=$(digest "$work/wanted")

# Trust the pid file only if that process is the proxy: after a reboot, the pid may belong to any process.
running() {
  pid=$(cat "$home/kafka-rest.pid" 2>/dev/null) && [ -n "$pid" ] &&
    ps -p "$pid" -o args= 2>/dev/null | grep -qF kafka-rest.properties
}

answers() {
  [ "$(curl --silent --noproxy '*' --max-time 10 --output /dev/null --write-out '%{http_code}' "$url")" = 200 ]
}

listens() {
  curl --silent --noproxy '*' --max-time 10 --output /dev/null "$url"
}

# A process that was just started has this script's name until it becomes the proxy, so running() would miss it.
started() {
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

if running; then
  if [ "$(cat "$home/kafka-rest.started" 2>/dev/null)" = "$wanted" ] && await_answer 20 running; then
    echo "The REST proxy answers at $url (pid $pid)" >&2
    echo unchanged
    exit 0
  fi
  echo "Stopping the REST proxy (pid $pid): its properties have changed, or it does not answer" >&2
  kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    running || break
    sleep 0.5
  done
  kill -KILL -- "-$pid" 2>/dev/null || true
fi
if listens; then
  fail "Port $PORT is taken by a process that is not our REST proxy: stop it, or set rest_proxy.port"
fi

if [ -f "$log" ]; then mv "$log" "$log.1"; fi
# Job control gives the proxy its own process group, so that ending this script does not end the proxy.
set -m
nohup "$home/current/bin/kafka-rest-start" "$home/kafka-rest.properties" >>"$log" 2>&1 </dev/null &
pid=$!
set +m
echo "$pid" >"$home/kafka-rest.pid"
echo "$wanted" >"$home/kafka-rest.started"

if ! await_answer "$START_SECONDS" started; then
  tail -n 20 "$log" >&2 || true
  if running; then
    fail_for_now "The REST proxy (pid $pid) does not answer $url within $START_SECONDS s; the end of $log is above"
  fi
  fail_for_now "The REST proxy exited immediately; the end of $log is above"
fi
echo "changed: the REST proxy answers at $url (pid $pid)"
