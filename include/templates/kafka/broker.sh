# The broker on this machine: where it is, whether it runs, and how it is stopped. Takes SYSTEMD and UNITS: a folder
# that is there where systemd runs, and the folder of its units.
home=$HOME/kafka-broker
unit=pinterest-kafka.service

has_systemd() {
  [ -d "$SYSTEMD" ] && command -v systemctl >/dev/null 2>&1 && sudo -n true 2>/dev/null
}

# Trust the pid file only if that process is the broker: after a reboot, the pid may belong to any process.
running() {
  pid=$(cat "$home/broker.pid" 2>/dev/null) && [ -n "$pid" ] &&
    ps -p "$pid" -o args= 2>/dev/null | grep -qF "$home/server.properties"
}

# stop_broker: with time to close its log, so that it need not check all of it when it starts again.
stop_broker() {
  local left=60
  if [ -f "$UNITS/$unit" ] && has_systemd; then
    sudo -n systemctl stop "$unit" >&2
  fi
  if running; then
    kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
    while running && [ "$left" -gt 0 ]; do
      sleep 0.5
      left=$((left - 1))
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
  fi
  rm -f "$home/broker.pid"
}
