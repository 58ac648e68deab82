"""PyPI fluent-logger -> poseur serve -> a receiver that acknowledges: all events, in order, the matching ones tagged, all
others byte for byte."""

import io
import json
import socketserver
import threading

import msgpack
from fluent.sender import EventTime, FluentSender

from stage import Stage, changed, lines, tagged, until

# Events as bytes, with the tag that they came under; and ids of chunks that were acknowledged.
events, acknowledged = [], []


class Receiver(socketserver.BaseRequestHandler):
    """The receiving side of the Forward protocol, as far as it is needed."""

    def handle(self):
        messages = msgpack.Unpacker(max_buffer_size=0)
        while received := self.request.recv(1 << 16):
            messages.feed(received)
            for tag, packed, option in messages:
                chunk, start = msgpack.Unpacker(io.BytesIO(packed)), 0
                while start < len(packed):
                    chunk.skip()
                    events.append((tag, packed[start : chunk.tell()]))
                    start = chunk.tell()
                acknowledged.append(option["chunk"])
                self.request.sendall(msgpack.packb({"ack": option["chunk"]}))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


def main():
    records = [json.loads(line) for line in lines(5)]
    expected = [json.loads(line) for line in tagged(lines(5))]
    with Server(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = f"""
pipelines:
  teams:
    source: {{ type: forward, listen: "127.0.0.1:0" }}
    sink: {{ type: forward, connect: ["127.0.0.1:{server.server_address[1]}"] }}
"""
        with Stage(config) as stage:
            sender = FluentSender("teams", host="127.0.0.1", port=stage.port, nanosecond_precision=True)
            times = [EventTime(1_700_000_000 + at // 7, at) for at in range(len(records))]
            for time, record in zip(times, records, strict=True):
                assert sender.emit_with_time("audit", time, record), sender.last_error
            sender.close()
            until("all events", lambda: len(events) >= len(records))
        server.shutdown()
    assert len(events) == len(records), len(events)
    for (tag, event), time, record, want in zip(events, times, records, expected, strict=True):
        assert tag == "teams.audit", tag
        # The sender packs a time and a record like this; and so does the stage its tags.
        if record == want:
            assert event == msgpack.packb((time, record)), (event, record)
        else:
            seen_time, seen = msgpack.unpackb(event)
            assert (seen_time.code, seen_time.data) == (0, time.data), seen_time
            assert seen == want, (seen, want)
            bare = {key: value for key, value in seen.items() if key != "poseur"}
            assert "poseur" not in seen or bare == record, (bare, record)
    assert len(set(acknowledged)) == len(acknowledged) > 0
    count = changed(records, expected)
    print(f"fluent-logger (PyPI): {len(events)} events, {count} tagged, {len(acknowledged)} chunks acknowledged")


main()
