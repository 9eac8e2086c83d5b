#!/usr/bin/env bash
# A real Kubernetes for the suites that want one, where the means to make it lie beside the project.
#   .ci/kubernetes.sh api     the API server alone: the suites of owners and users, unchanged
#   .ci/kubernetes.sh nodes   three nodes: installed by Helm, brokers in pods, nodes that fail
set -uo pipefail
cd "$(dirname "$0")/.."
testbed=${TENURE_TESTBED:-../shared/kubernetes-testbed}
skip() { echo "$*: the suites on a real Kubernetes are skipped"; exit 0; }
[ -x "$testbed/up.sh" ] || skip 'there is no testbed'
[ "$(id -u)" = 0 ] || skip 'a testbed needs root'
command -v go >/dev/null || skip 'go is not here to build Kubernetes'
testbed=$(cd "$testbed" && pwd)
. "$testbed/env.sh"
what=${1:-api}
"$testbed/build.sh" "$([ "$what" = api ] && echo api || echo all)" >"$STATE/build.log" 2>&1 ||
  { tail -20 "$STATE/build.log"; skip 'Kubernetes could not be built'; }
"$testbed/down.sh" >/dev/null 2>&1
trap '"$testbed/down.sh" >/dev/null 2>&1' EXIT
export PATH="$PATH:$BIN"

if [ "$what" = api ]; then
  "$testbed/up.sh" || exit 1
  TENURE_TEST_KUBECONFIG="$RUN/kc/admin" TENURE_TEST_STORE="bash $PWD/.ci/store.sh $testbed" \
    npm test --silent -- test/e2e/rights.test.ts \
    test/e2e/journey.test.ts test/e2e/operator.test.ts test/e2e/failover.test.ts \
    test/e2e/transactions.test.ts test/e2e/recovery.test.ts test/e2e/older-memory.test.ts
  exit
fi

image=docker.io/library/tenure:ci
npm run --silent image -- "$IMAGES/tenure-ci.tar" "$image" || exit 1
GRACE=8s "$testbed/up.sh" 3 || exit 1
"$STATE/k" apply -f - >/dev/null <<'Y' || exit 1
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: local, annotations: { storageclass.kubernetes.io/is-default-class: 'true' } }
provisioner: lab.local/hostpath
volumeBindingMode: WaitForFirstConsumer
Y
TENURE_TEST_IMAGE="$image" TENURE_TEST_CONTROL="bash $PWD/.ci/machines.sh $testbed" \
  "$STATE/k" -x npm run --silent test:k8s
