#!/usr/bin/env bash
# Builds what the tests of a real mesh run beside the API server's binaries, once for each release: istiod from Go modules,
# and the definitions of gateways. Prints the folder that they are in.
set -euo pipefail
cd "$(dirname "$0")"
GATEWAY_API=$(sed -n 's/^GATEWAY_API=//p' ../../cluster/binaries/build.sh)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/agent-rollout/mesh/$(cat go.sum main.go build.sh | sha256sum | cut -c1-12)"
if [ -e "$folder/complete" ]; then
  echo "$folder"
  exit
fi
echo "building istiod (once, some minutes on two cores)" >&2
began=$(date +%s)
rm -rf "$folder" && mkdir -p "$folder/definitions"
go build -trimpath -ldflags='-s -w' -o "$folder/istiod" .
gateway=$(go mod download -json "sigs.k8s.io/gateway-api@$GATEWAY_API" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
for kind in gateways gatewayclasses; do
  cp "$gateway/config/crd/standard/gateway.networking.k8s.io_$kind.yaml" "$folder/definitions/"
done
chmod -R u+w "$folder"
touch "$folder/complete"
echo "built in $(( $(date +%s) - began )) s: $folder, $(du -sh "$folder" | cut -f1)" >&2
echo "$folder"
