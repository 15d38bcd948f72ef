#!/usr/bin/env bash
# Proves the two commands of the README, on what is committed: a clone, a home that holds nothing, both commands, and the
# wheel installed elsewhere with the locked packages, serving on its own. PYTHON names the interpreter.
#   PYTHON=python3.13 scripts/fresh.sh [--without-tests]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=$(command -v "${PYTHON:-python3}")
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

mkdir "$work/home" "$work/elsewhere"
git clone --quiet "$root" "$work/clone"
# The recorded cases of the reference are no part of the repository; without them their tests are skipped by name.
[ ! -d "$root/../shared" ] || ln -s "$root/../shared" "$work/shared"
fresh() { env -u PYTHONPATH -u VIRTUAL_ENV HOME="$work/home" "$@"; }

"$python" --version
cd "$work/clone"
echo "== make demo" && fresh make demo PYTHON="$python"
if [ "${1:-}" != --without-tests ]; then
    echo "== make test" && fresh make test PYTHON="$python"
fi

echo "== the wheel, elsewhere"
wheel="$work/clone/$(fresh make --silent wheel PYTHON="$python")"
cd "$work/elsewhere"
fresh "$python" -m venv venv
fresh venv/bin/python -m pip install --quiet --require-hashes -r "$work/clone/requirements.txt"
fresh venv/bin/python -m pip install --quiet --no-deps --no-index "$wheel"
request="$work/clone/scripts/demo/multi_currency.json"
cp "$request" request.json && rm -rf "$work/clone"
fresh venv/bin/lotus-manage migrate apply --sqlite-path runs.db
export DPM_SUPPORTABILITY_STORE_BACKEND=SQL DPM_SUPPORTABILITY_SQL_PATH=runs.db
# No function, so that what is ended is the server itself.
env -u PYTHONPATH HOME="$work/home" venv/bin/lotus-manage serve --port 0 2> server.log &
server=$!
port=
for _ in $(seq 200); do
    port=$(sed -n 's/.*"event":"listening".*/&/p' server.log | sed -n 's/.*"port":\([0-9]*\).*/\1/p')
    [ -z "$port" ] || break
    kill -0 "$server" || { cat server.log >&2; exit 1; }
    sleep 0.1
done
fresh venv/bin/python - "$port" <<'CLIENT'
import json
import sys
import urllib.request

base = f"http://127.0.0.1:{sys.argv[1]}/rebalance"
headers = {"Content-Type": "application/json", "Idempotency-Key": "fresh-1"}
with open("request.json", "rb") as file:
    asked = urllib.request.Request(f"{base}/simulate", data=file.read(), headers=headers)
made = json.load(urllib.request.urlopen(asked, timeout=10))
found = json.load(urllib.request.urlopen(f"{base}/runs/{made['rebalance_run_id']}", timeout=10))
assert found["result"] == made, found
print(f"{made['rebalance_run_id']}: {made['status']}, found again")
CLIENT
kill "$server" && wait "$server"
server=
echo "== held: $("$python" --version)"
