"""A stage as the peers in Python start it, the records they send, and what must become of them."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

POSEUR = os.environ["POSEUR"]
ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "examples/samples/teams.ndjson"

# At the end of somebody's patience, `with` blocks end what they began.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))


def until(what, found, limit=60, dead=lambda: False):
    """Asks again and again, and returns the first answer that is true; says so loudly if none comes in time."""
    end = time.monotonic() + limit
    while not (answer := found()):
        if dead():
            sys.exit(f"nobody is left who could bring {what}")
        if time.monotonic() > end:
            sys.exit(f"after {limit} s still waiting for {what}")
        time.sleep(0.01)
    return answer


def lines(times=1):
    """Sample records, each a line of one JSON object, so many times."""
    all_lines = SAMPLES.read_bytes().splitlines() * times
    return [line for line in all_lines if line.startswith(b"{")]


def tagged(records):
    """What `poseur tag` makes of lines."""
    text = b"".join(record + b"\n" for record in records)
    done = subprocess.run([POSEUR, "tag", "--quiet"], input=text, stdout=subprocess.PIPE, check=True)
    answer = done.stdout.splitlines()
    assert len(answer) == len(records)
    return answer


def substitute(file, changes):
    """A file of examples with other paths and ports, all of which must be in it."""
    text = file.read_text()
    for old, new in changes.items():
        assert old in text, f"{file} has no {old}"
        text = text.replace(old, str(new))
    return text


def free_port():
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def changed(before, after):
    """How many of them were tagged; fails if there are too few to prove anything."""
    count = sum(one != other for one, other in zip(before, after, strict=True))
    assert 5 <= count < len(before) / 10, f"{count} of {len(before)} records are tagged"
    return count


def same_lines(got, want):
    """Fails at the first line that differs."""
    got, want = got.splitlines(), want.splitlines()
    for number, (one, other) in enumerate(zip(got, want), 1):
        assert one == other, f"line {number}:\n{one[:2000]}\ninstead of\n{other[:2000]}"
    assert len(got) == len(want), f"{len(got)} lines instead of {len(want)}"


class Stage:
    """`poseur serve`, from its configuration until the end of a `with` block. A `FOLDER` in the configuration is a
    temporary one."""

    def __init__(self, config):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name)
        self.file = self.folder / "poseur.yaml"
        self.file.write_text(config.replace("FOLDER", str(self.folder)))
        self.log = self.folder / "log"
        self.process = None

    def __enter__(self):
        with open(self.log, "wb") as log:
            command = [POSEUR, "serve", "--config", str(self.file), "--log", "json"]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        place = until("the stage to listen", self._place)
        self.port = int(place.rpartition(":")[2]) if ":" in place else None
        return self

    def _place(self):
        assert self.process.poll() is None, f"the stage ended: {self.log.read_text()}"
        for line in self.log.read_text().splitlines():
            if '"listening"' in line and line.endswith("}"):
                return json.loads(line)["fields"]["place"]
        return None

    def said(self):
        """Its log."""
        return self.log.read_text()

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        said = self.said()
        self.temporary.cleanup()
        if kind is not None:
            print(said, file=sys.stderr)
        else:
            assert code == 0, f"the stage ended with {code}: {said}"
