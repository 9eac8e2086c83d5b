#!/usr/bin/env bash
# Apache Kafka's Java client against three brokers. Needs Maven and a JDK; both come from the usual places.
set -euo pipefail
cd "$(dirname "$0")"
for program in mvn javac; do
  command -v "$program" >/dev/null || { echo "skipped: $program is not installed on this machine"; exit 0; }
done
mvn -q -B compile
data=$(mktemp -d)
port=$(( 20000 + RANDOM % 20000 ))
node ../../scripts/start.mjs --data "$data/cluster" --port "$port" --api-port 0 > "$data/log" 2>&1 &
cluster=$!
trap 'kill -TERM $cluster 2>/dev/null || true; wait $cluster 2>/dev/null || true; rm -rf "$data"' EXIT
for _ in $(seq 1 300); do
  grep -q 'Kafka is up' "$data/log" && break
  kill -0 $cluster 2>/dev/null || { cat "$data/log"; exit 1; }
  sleep 0.2
done
mvn -q -B exec:java -Dexec.args="localhost:$port"
