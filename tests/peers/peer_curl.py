"""curl -> poseur serve (http) -> a receiver of HTTP: NDJSON, a JSON array, gzip and Zstandard; 200 only after delivery; 503 while the
receiver is away; a bad line costs nobody but itself."""

import gzip
import http.server
import json
import socket
import subprocess
import threading

from stage import Stage, changed, lines, tagged, until

# Bodies that came, and whether they are answered.
bodies = []
answering = threading.Event()
answering.set()


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        bodies.append(body)
        assert answering.wait(60)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def curl(port, body, *options, wait=True):
    """POSTs a body as the documentation shows it; the status, or the running program."""
    command = ["curl", "--silent", "--show-error", "--max-time", "60", "--output", "/dev/null", "--write-out", "%{http_code}"]
    command += [*options, "--data-binary", "@-", f"http://127.0.0.1:{port}/"]
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    program.stdin.write(body)
    program.stdin.close()
    return int(program.stdout.read()) if wait else program


def body(records):
    return b"".join(record + b"\n" for record in records)


def start(port):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    records, expected = lines(3), tagged(lines(3))
    count = changed(records, expected)
    # A port at which nobody listens yet.
    with socket.create_server(("127.0.0.1", 0)) as free:
        away = free.getsockname()[1]
    config = f"""
pipelines:
  teams:
    source: {{ type: http, listen: "127.0.0.1:0" }}
    sink: {{ type: http, url: "http://127.0.0.1:{away}/logs" }}
    retry: {{ first: 10ms, longest: 50ms, limit: 300ms }}
"""
    with Stage(config) as stage:
        assert curl(stage.port, body(records)) == 503
        server = start(away)
        kinds = [
            (body(records), []),
            (gzip.compress(body(records)), ["--header", "Content-Encoding: gzip"]),
            (subprocess.run(["zstd", "-q", "-c"], input=body(records), stdout=subprocess.PIPE, check=True).stdout,
             ["--header", "Content-Encoding: zstd"]),
        ]
        for sent, options in kinds:
            bodies.clear()
            assert curl(stage.port, sent, *options) == 200
            # Byte for byte, the matching lines with tags.
            assert bodies == [body(expected)], f"{options}: other bytes than poseur tag writes"
        # A JSON array is one line; its elements are judged one by one.
        bodies.clear()
        assert curl(stage.port, b"[" + b",".join(records) + b"]", "--header", "Content-Type: application/json") == 200
        assert json.loads(bodies[0]) == [json.loads(line) for line in expected]
        # A bad line, first, last and between others.
        bad = [b'{"Operation":', b"no JSON", b"\xff\xfe"]
        mixed = [bad[0], *records[:40], bad[1], *records[40:], bad[2]]
        bodies.clear()
        assert curl(stage.port, body(mixed)) == 200
        assert bodies == [body([bad[0], *expected[:40], bad[1], *expected[40:], bad[2]])]
        # No answer before the receiver's.
        bodies.clear()
        answering.clear()
        waiting = curl(stage.port, body(records[:9]), wait=False)
        until("the body", lambda: bodies)
        assert waiting.poll() is None, "answered before it was delivered"
        answering.set()
        assert int(waiting.stdout.read()) == 200 and bodies == [body(expected[:9])]
        server.shutdown()
        server.server_close()
    print(f"curl: NDJSON, gzip, zstd, JSON array, bad lines: {len(records)} records each, {count} tagged; 503 while away")


main()
