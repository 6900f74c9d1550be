#!/usr/bin/env bash
# Builds what the tests of a real cluster run, once for each release: etcd, kube-apiserver, kube-controller-manager and
# kubectl from Go modules, and the definitions of Gateway API and Istio. Prints the folder that they are in.
set -euo pipefail
cd "$(dirname "$0")"
GATEWAY_API=v1.6.1
ISTIO_API=v1.31.4
version=$(awk '$1 == "k8s.io/kubernetes" && $2 ~ /^v/ {print $2}' go.mod)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/agent-rollout/cluster/$version-$(cat go.sum cmd/*/main.go build.sh | sha256sum | cut -c1-12)"
if [ -e "$folder/complete" ]; then
  echo "$folder"
  exit
fi
echo "building kube-apiserver $version and its companions (once, some minutes on two cores)" >&2
began=$(date +%s)
rm -rf "$folder" && mkdir -p "$folder/definitions"
go build -trimpath -ldflags='-s -w' -o "$folder/" ./cmd/...
directory() {
  go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}
gateway=$(directory "sigs.k8s.io/gateway-api@$GATEWAY_API")
for kind in httproutes grpcroutes referencegrants; do
  cp "$gateway/config/crd/standard/gateway.networking.k8s.io_$kind.yaml" "$folder/definitions/"
done
cp "$(directory "istio.io/api@$ISTIO_API")/kubernetes/customresourcedefinitions.gen.yaml" "$folder/definitions/istio.yaml"
chmod -R u+w "$folder"
touch "$folder/complete"
echo "built in $(( $(date +%s) - began )) s: $folder, $(du -sh "$folder" | cut -f1)" >&2
echo "$folder"
