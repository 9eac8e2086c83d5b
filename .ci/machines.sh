#!/usr/bin/env bash
# What kubectl cannot do to machines: machines.sh TESTBED cut|heal|stop|start NODE, machines.sh TESTBED kill-api
set -euo pipefail
. "$1/env.sh"
if [ "$2" != kill-api ]; then
  "$1/node.sh" "$2" "$3" </dev/null >/dev/null 2>&1
  exit
fi
pid=$(cat "$RUN/pids/kube-apiserver")
mapfile -d '' -t command <"/proc/$pid/cmdline"
kill -9 "$pid"
sleep 2
setsid nohup nsenter --net=/run/netns/kcp "${command[@]}" >>"$RUN/log/kube-apiserver.log" 2>&1 </dev/null &
echo $! >"$RUN/pids/kube-apiserver"
