"""Fluentd with the configurations in examples/fluentd: through `poseur serve` and through `poseur tag`. Every record, in order, with
equal values; matching ones tagged. With the stage, it is killed and started again in between.

By hand, because no package registry that CI reaches has Fluentd:
    POSEUR=target/debug/poseur FLUENTD=fluentd PYTHON/bin/python tests/peers/hand_fluentd.py
"""

import json
import os
import shlex
import signal
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from stage import POSEUR, ROOT, changed, free_port, lines, substitute, tagged, until

EXAMPLES = ROOT / "examples/fluentd"


def written(folder):
    """Records that Fluentd has written, in the order of its files."""
    files = sorted((folder / "out").glob("o365*.log"), key=lambda file: file.stat().st_ctime_ns)
    text = "".join(file.read_text() for file in files)
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def run(name, ports, count, disturb=None):
    """Sends records through an example; what comes out."""
    records, expected = lines(5), tagged(lines(5))
    # Each is another, so that one that is lost or comes twice is seen.
    number = lambda all_lines: [b'{"n":%d,' % at + line[1:] for at, line in enumerate(all_lines)]
    records, expected = number(records), number(expected)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "in").mkdir()
        changes = {
            "/var/log/o365/*.ndjson": folder / "in/*.ndjson",
            "/var/lib/fluentd": folder / "state",
            "/var/log/tagged": folder / "out",
        }
        config = folder / "fluentd.conf"
        config.write_text(substitute(EXAMPLES / name, changes | ports))
        log = open(folder / "log", "wb")
        path = f"{Path(POSEUR).parent}:{os.environ['PATH']}"
        command = [*shlex.split(os.environ["FLUENTD"]), "-c", str(config)]
        fluentd = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"PATH": path})
        try:
            half = len(records) // 2
            for part in (records[:half], records[half:]):
                with (folder / "in/teams.ndjson").open("ab") as file:
                    file.write(b"".join(line + b"\n" for line in part))
                if disturb:
                    disturb()
            numbers = lambda: {record["n"] for record in written(folder)}
            until("all records", lambda: len(numbers()) >= len(records), 60, lambda: fluentd.poll() is not None)
            seen = written(folder)
        except SystemExit:
            print((folder / "log").read_text()[-3000:])
            raise
        finally:
            fluentd.send_signal(signal.SIGTERM)
            fluentd.wait(timeout=60)
    twice = sum(times - 1 for times in Counter(record["n"] for record in seen).values())
    first = list({record["n"]: record for record in seen}.values())
    assert [record["n"] for record in first] == list(range(len(records))), "out of order"
    assert first == [json.loads(line) for line in expected]
    print(f"Fluentd, {name}: {len(records)} records, {changed(records, expected)} tagged, {twice} came twice{count}")


def main():
    run("exec_filter.conf", {"poseur tag": f"{POSEUR} tag"}, "")
    source, sink = free_port(), free_port()
    with tempfile.TemporaryDirectory() as temporary:
        config = Path(temporary) / "poseur.yaml"
        ports = {"24224": source, "24225": sink}
        config.write_text(substitute(EXAMPLES / "poseur.yaml", ports))
        start = lambda: subprocess.Popen([POSEUR, "serve", "-c", str(config)], stderr=subprocess.DEVNULL)
        stages = [start()]

        def kill():
            stages[-1].kill()
            stages[-1].wait()
            stages.append(start())

        try:
            run("forward.conf", ports, ", the stage killed twice", kill)
        finally:
            stages[-1].terminate()
            stages[-1].wait()


main()
