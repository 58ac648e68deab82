"""rsyslog (omfwd) -> poseur serve (tcp) -> rsyslog (imtcp), as in examples/rsyslog: every line, in order, byte for byte but for tags.
"""

from rsyslogd import EXAMPLES, Rsyslog
from stage import SAMPLES, Stage, changed, free_port, same_lines, substitute, tagged


def main():
    records = SAMPLES.read_bytes().splitlines() * 20
    records[100:100] = [b"no JSON", b'{"Operation":', "{\"é\":\"…\"}".encode()]
    expected = tagged(records)
    back = free_port()
    config = substitute(EXAMPLES / "poseur.yaml", {"127.0.0.1:5140": "127.0.0.1:0", "5141": back})
    with Stage(config) as stage, Rsyslog("forward.conf", {"5140": stage.port, "5141": back}) as rsyslog:
        rsyslog.records.write_bytes(b"".join(record + b"\n" for record in records))
        want = b"".join(record + b"\n" for record in expected)
        same_lines(rsyslog.output(len(want)), want)
    print(f"rsyslog, omfwd and imtcp: {len(records)} lines, {changed(records, expected)} tagged, all others byte for byte")


main()
