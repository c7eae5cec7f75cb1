#!/bin/sh
# Two hosts on one machine: network namespaces, each with an address of its own and no
# other way to each other, on which torchrun shares reading and a round. Needs root.
#
#     sh benchmarks/two_hosts.sh [SAMPLE]
#
# The last lines compare the round with that of one process.
set -eu

sample=${1:-sample:digits}
work=$(mktemp -d)
python=${PYTHON:-python3}
export OMP_NUM_THREADS=1 SPACEEDITING_CACHE="$work/cache"
run() { "$python" -m napari_spaceediting "$@"; }

clean() {
    ip netns del hosta 2>/dev/null || true
    ip netns del hostb 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT

ip netns add hosta
ip netns add hostb
ip link add toa netns hosta type veth peer name tob netns hostb
ip -n hosta addr add 10.77.0.1/24 dev toa
ip -n hostb addr add 10.77.0.2/24 dev tob
for host in a b; do
    ip -n host$host link set lo up
    ip -n host$host link set to$host up
done

# on HOST ADDRESS RANK COMMAND...: one of the two machines. Both have one name, by which
# torchrun tells elsewhere which of them keeps the rendezvous: here it is told.
on() {
    host=$1 address=$2 rank=$3
    shift 3
    ip netns exec "host$host" env GLOO_SOCKET_IFNAME="to$host" \
        "$python" -m torch.distributed.run --nnodes 2 --nproc-per-node 1 \
        --node-rank "$rank" --local-addr "$address" \
        --rdzv-backend c10d --rdzv-endpoint 10.77.0.1:29400 --rdzv-id "$1" \
        --rdzv-conf "is_host=$((1 - rank))" \
        -m napari_spaceediting "$@"
}

both() {
    on b 10.77.0.2 1 "$@" >"$work/b.log" 2>&1 &
    other=$!
    on a 10.77.0.1 0 "$@"
    wait "$other" || { cat "$work/b.log"; exit 1; }
}

run new "$sample" "$work/one.spaceediting" --labels-per-class 5
run train "$work/one.spaceediting" --epochs 5
run map "$work/one.spaceediting" --method pca
run guide "$work/one.spaceediting" --json "$work/proposals.json" >/dev/null
"$python" - "$work/proposals.json" <<'END'
import json, sys

proposals = json.load(open(sys.argv[1]))
for proposal in proposals:
    proposal["answer"] = "yes" if proposal["tag"] else None
json.dump(proposals, open(sys.argv[1], "w"))
END
cp -r "$work/one.spaceediting" "$work/two.spaceediting"
run retrain "$work/one.spaceediting" --answers "$work/proposals.json"
start=$(date +%s)
both extract "$work/two.spaceediting" --cache "$work/shared"
echo "extract on two hosts: $(($(date +%s) - start)) s"
start=$(date +%s)
both retrain "$work/two.spaceediting" --answers "$work/proposals.json" --cache "$work/shared"
echo "retrain on two hosts: $(($(date +%s) - start)) s"
"$python" - "$work" <<'END'
import sys

import numpy as np

from napari_spaceediting import api

one, two = (
    api.open(f"{sys.argv[1]}/{name}.spaceediting").state.rounds[-1].after.network
    for name in ("one", "two")
)
most = max(
    float(np.abs(two.state[name] - weights).max() / max(np.abs(weights).max(), 1e-12))
    for name, weights in one.state.items()
)
said = (p.predictions.probabilities.argmax(axis=1) for p in (one, two))
print(f"largest difference of a weight, of the largest of its layer: {most:.1e}")
print(f"images that are called otherwise: {int(np.not_equal(*said).sum())}")
END
