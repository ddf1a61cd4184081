#!/usr/bin/env bash
# try.sh PROGRAM: starts the server on any free port, asks it once, and ends it as a system would.
set -euo pipefail
address="$(mktemp)"
"$1" --port 0 > "$address" &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -f "$address"' EXIT
until [ -s "$address" ]; do
  kill -0 "$server" 2>/dev/null || { echo "The server ended." >&2; exit 1; }
  sleep 0.1
done
python3 - "$(cat "$address")" <<'PYTHON'
import json, sys, urllib.request

body = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "max_tokens": 30, "temperature": 0}
request = urllib.request.Request(sys.argv[1] + "/v1/chat/completions", json.dumps(body).encode())
with urllib.request.urlopen(request, timeout=60) as answer:
    print(json.load(answer)["choices"][0]["message"]["content"])
PYTHON
kill -TERM "$server"
wait "$server"
