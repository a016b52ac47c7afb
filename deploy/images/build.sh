#!/bin/bash
# Builds the stand-in images local/valv-{debian,python,postgres,valkey,seaweedfs}, for machines that cannot pull the
# public ones. Their names are never the public names. An image whose folder has not changed is not built again.
# The base carries this machine's own certificate authorities: never publish an image made here.
set -euo pipefail
cd "$(dirname "$0")"
export DOCKER_BUILDKIT=0

fresh() { # image, hash
  [ "$(docker image inspect -f '{{index .Config.Labels "src-hash"}}' "$1" 2>/dev/null)" = "$2" ]
}

base=local/valv-debian:trixie
hash=$(cat build.sh | sha256sum | cut -c1-16)
if ! fresh "$base" "$hash"; then
  echo "images: $base"
  command -v mmdebstrap >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends mmdebstrap; } >/dev/null
  hooks=()
  for authority in /usr/local/share/ca-certificates/*.crt; do
    [ ! -e "$authority" ] || hooks+=("--customize-hook=copy-in $authority /usr/local/share/ca-certificates")
  done
  mmdebstrap --quiet --variant=minbase --include=ca-certificates "${hooks[@]}" \
    --customize-hook='chroot "$1" update-ca-certificates >/dev/null' trixie - \
    | docker import -c 'CMD ["bash"]' -c "LABEL src-hash=$hash" - "$base" >/dev/null
fi
for name in python postgres valkey seaweedfs; do
  image=local/valv-$name:latest
  hash=$( (docker image inspect -f '{{.Id}}' "$base"; cat "$name"/*) | sha256sum | cut -c1-16)
  fresh "$image" "$hash" && continue
  echo "images: $image"
  output=$(docker build --label "src-hash=$hash" --build-arg "BASE_IMAGE=$base" \
    --build-arg PYTHON_IMAGE=local/valv-python:latest -t "$image" "$name" 2>&1) || { echo "$output" | tail -20; exit 1; }
done
