#!/usr/bin/env bash
# What make e2e does: builds the images and charts of this commit and of the one before, gives them to the nodes of the cluster, and
# runs test/cluster. The cluster is that of KUBECONFIG; it needs a default StorageClass.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${IMAGE:?}" "${IMAGE_LOAD:?}" "${VERSION:?}" "${PREVIOUS:?}" "${DIST:?}"
export CGO_ENABLED=0
command -v kubectl >/dev/null || { echo "e2e: kubectl is not on the PATH"; exit 1; }
kubectl version >/dev/null || { echo "e2e: the cluster of KUBECONFIG does not answer"; exit 1; }
platform=linux/$(kubectl get nodes -o jsonpath='{.items[0].status.nodeInfo.architecture}')
suffix=${platform//\//-}
mkdir -p "$DIST"
helm=$(go tool -n -modfile="$PWD/hack/helm/go.mod" helm)

make --no-print-directory image VERSION="$VERSION" IMAGE="$IMAGE" DIST="$DIST" IMAGE_PLATFORMS="$platform"
"$helm" package charts/kustiq -d "$DIST" >/dev/null

echo "building the simulator"
GOOS=linux GOARCH=${platform#*/} go build -trimpath -ldflags '-s -w' -o "$DIST/bin/simulator" ./test/cluster/simulator
go run -C hack/image . -repository localhost/kustiq-simulator -version "$VERSION" -out "$DIST/simulator" "$platform=$DIST/bin/simulator"

echo "building $PREVIOUS, which is upgraded from"
before=$(mktemp -d)
trap 'git worktree remove --force "$before/tree" 2>/dev/null || true; rm -rf "$before"' EXIT
git worktree add --quiet --detach "$before/tree" "$PREVIOUS"
make --no-print-directory -C "$before/tree" image VERSION="$PREVIOUS" IMAGE="$IMAGE" DIST="$DIST" IMAGE_PLATFORMS="$platform"
"$helm" package "$before/tree/charts/kustiq" --version "0.0.0-$PREVIOUS" -d "$DIST" >/dev/null

for tar in "$DIST/kustiq-$VERSION-$suffix.tar" "$DIST/kustiq-$PREVIOUS-$suffix.tar" "$DIST/simulator/kustiq-$VERSION-$suffix.tar"; do
  echo "loading $(basename "$tar")"
  $IMAGE_LOAD "$tar"
done

KUSTIQ_CLUSTER=1 KUSTIQ_HELM=$helm KUSTIQ_VERSION=$VERSION KUSTIQ_PREVIOUS_VERSION=$PREVIOUS \
  KUSTIQ_CHART=$(ls "$DIST"/kustiq-[0-9]*.tgz | grep -v 0.0.0- | tail -1) KUSTIQ_PREVIOUS_CHART=$DIST/kustiq-0.0.0-$PREVIOUS.tgz \
  KUSTIQ_SIMULATOR=localhost/kustiq-simulator:$VERSION \
  go test -count=1 -timeout 30m -v ./test/cluster
