#!/usr/bin/env bash
# What a Kubernetes remembers, put aside and put back: etcd's own files, copied while it does not run. Whoever reads
# the API by a cache of its own (the API server and the controllers) starts anew with it, as after any restore.
#   .ci/store.sh TESTBED save|restore FOLDER
set -euo pipefail
testbed=$1 what=$2 folder=$3
. "$testbed/env.sh"
readers=(kube-scheduler kube-controller-manager kube-apiserver)

stop() {
  local pid
  pid=$(cat "$RUN/pids/$1")
  mapfile -d '' -t "command_${1//-/_}" <"/proc/$pid/cmdline"
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}
start() {
  local -n command="command_${1//-/_}"
  setsid nohup "${command[@]}" >>"$RUN/log/$1.log" 2>&1 </dev/null &
  echo $! >"$RUN/pids/$1"
}

for one in "${readers[@]}" etcd; do stop "$one"; done
case $what in
  save) rm -rf "$folder" && cp -a "$RUN/etcd" "$folder" ;;
  restore) rm -rf "$RUN/etcd" && cp -a "$folder" "$RUN/etcd" ;;
esac
start etcd
start kube-apiserver
for _ in $(seq 1 300); do
  "$STATE/k" get --raw /readyz >/dev/null 2>&1 && break
  sleep 0.2
done
start kube-controller-manager
start kube-scheduler
