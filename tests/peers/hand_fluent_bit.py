"""Fluent Bit -> poseur serve -> Fluent Bit with the configurations in examples/fluent-bit: acknowledgements and gzip on both sides.
Every record, with equal values, matching ones tagged; in order if nothing fails. Then again, with the stage killed and started
while records come; Fluent Bit sends chunks again out of order, and some twice.

By hand, because no package registry that CI reaches has Fluent Bit:
    POSEUR=target/debug/poseur FLUENT_BIT=fluent-bit PYTHON/bin/python tests/peers/hand_fluent_bit.py
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from stage import POSEUR, ROOT, changed, free_port, lines, substitute, tagged, until

EXAMPLES = ROOT / "examples/fluent-bit"
TIMES = int(os.environ.get("TIMES", "20"))


def numbered(all_lines):
    """Each is another, so that one that is lost or comes twice is seen."""
    return [b'{"n":%d,' % at + line[1:] for at, line in enumerate(all_lines)]


def run(kills):
    """Sends all records, the stage being killed so often meanwhile."""
    records, expected = numbered(lines(TIMES)), numbered(tagged(lines(TIMES)))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("in", "out", "state"):
            (folder / name).mkdir()
        source, sink = free_port(), free_port()
        programs = {}

        def start(name, command, example, changes):
            config = folder / example
            config.write_text(substitute(EXAMPLES / example, changes))
            with (folder / f"{name}.log").open("ab") as log:
                programs[name] = subprocess.Popen([*command, "-c", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def stage():
            start("stage", [POSEUR, "serve"], "poseur-relay.yaml", {"24224": source, "24225": sink})

        fluent_bit = [os.environ["FLUENT_BIT"]]
        out = folder / "out/o365.ndjson"

        def seen():
            text = out.read_text() if out.exists() else ""
            return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

        def ended():
            return any(program.poll() is not None for program in programs.values())

        try:
            start("receive", fluent_bit, "relay-receive.yaml", {"24225": sink, "/var/log/tagged": folder / "out"})
            stage()
            paths = {"24224": source, "/var/log/o365": folder / "in", "/var/lib/fluent-bit": folder / "state"}
            start("send", fluent_bit, "relay-send.yaml", paths)
            # In as many parts as there are lives of the stage; each is killed while its part is on its way.
            parts = [records[at :: kills + 1] for at in range(kills + 1)] if kills else [records]
            for number, part in enumerate(parts):
                with (folder / "in/teams.ndjson").open("ab") as file:
                    file.write(b"".join(line + b"\n" for line in part))
                if number < kills:
                    before = len(seen())
                    until("records of this life", lambda: len(seen()) > before, 120, ended)
                    programs["stage"].kill()
                    programs["stage"].wait()
                    stage()
            until("all records", lambda: len({record["n"] for record in seen()}) >= len(records), 200, ended)
            # Fluent Bit writes at its end what it still has.
            for name in ("send", "stage", "receive"):
                programs[name].send_signal(signal.SIGTERM)
                programs[name].wait(timeout=60)
            got = seen()
        except (AssertionError, SystemExit):
            for name in programs:
                print(name, (folder / f"{name}.log").read_text()[-2000:], file=sys.stderr)
            raise
        finally:
            for program in programs.values():
                program.kill()
                program.wait()
    want = {at: json.loads(line) for at, line in enumerate(expected)}
    for record in got:
        assert record == want[record["n"]], f"{record}\ninstead of\n{want[record['n']]}"
    numbers = [record["n"] for record in got]
    assert set(numbers) == set(want)
    twice = len(numbers) - len(want)
    if not kills:
        assert numbers == list(range(len(want))), "out of order, or twice"
    order = "in order" if numbers == sorted(numbers) else "out of order"
    print(f"Fluent Bit: {len(want)} records, {changed(records, expected)} tagged, stage killed {kills} times: all there, {twice} twice, {order}")


run(0)
run(5)
