"""Receives webhooks of Offhook with nothing but Python's standard library."""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

SECRET = os.environ.get("SECRET", "")
TOLERANCE_SECONDS = 300
LARGEST_BODY = 1024 * 1024

# Ids of events that were worked on, the newest of them. Keep them in a database where work must not be done twice after
# a restart.
seen: "dict[str, None]" = {}
MOST_SEEN = 10_000
lock = Lock()


def signing_key() -> bytes:
    """Never an empty one: anybody could sign with it."""
    key = base64.b64decode(SECRET[6:]) if SECRET.startswith("whsec_") else b""
    if not key:
        sys.exit("SECRET must be the signing secret of the webhook, whsec_…")
    return key


KEY = signing_key()


def is_signed(headers, body: bytes) -> bool:
    """Standard Webhooks: HMAC-SHA-256 of id.timestamp.body; during the rotation of a secret there are two."""
    event_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    # Over the bytes as they came: parsed and written again they are others.
    signed = f"{event_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected.encode(), one.encode()) for one in given)


class Receiver(BaseHTTPRequestHandler):
    # A peer that says nothing holds a thread for so many seconds.
    timeout = 30

    def do_POST(self):
        try:
            status = self.receive()
        except Exception as error:
            # The event comes again.
            print(error, file=sys.stderr)
            status = 500
        self.answer(status)

    def receive(self) -> int:
        given = self.headers.get("content-length", "")
        if not (given.isascii() and given.isdigit()):
            return 411
        length = int(given[:12])
        if length > LARGEST_BODY:
            return 413
        body = self.rfile.read(length)
        if not is_signed(self.headers, body):
            return 401
        try:
            event = json.loads(body)
        except ValueError:
            return 400
        if not isinstance(event, dict):
            return 400
        # A request whose answer was lost comes again, with the same id: that of the event, whatever the payload.
        event_id = self.headers["webhook-id"]
        with lock:
            if event_id not in seen:
                print(event.get("type"), event_id, flush=True)
                seen[event_id] = None
            if len(seen) > MOST_SEEN:
                del seen[next(iter(seen))]
        return 204

    def answer(self, status: int):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "9000"))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    except OSError as error:
        sys.exit(f"127.0.0.1:{port}: {error.strerror}")
    print(f"listens on {port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
