"""rsyslog asks `poseur tag --rsyslog` through mmexternal, as in examples/rsyslog: every line, in order, byte for byte but for tags."""

from rsyslogd import Rsyslog
from stage import POSEUR, SAMPLES, changed, same_lines, tagged


def main():
    records = SAMPLES.read_bytes().splitlines() * 20
    records[100:100] = [b"no JSON", b'{"Operation":', b"  ", "{\"é\":\"…\"}".encode()]
    expected = tagged(records)
    with Rsyslog("mmexternal.conf", {"/usr/local/bin/poseur": POSEUR}) as rsyslog:
        # The first alone: its reply must not wait for more.
        rsyslog.records.write_bytes(records[0] + b"\n")
        assert rsyslog.output(len(expected[0]) + 1) == expected[0] + b"\n"
        with rsyslog.records.open("ab") as file:
            file.write(b"".join(record + b"\n" for record in records[1:]))
        want = b"".join(record + b"\n" for record in expected)
        same_lines(rsyslog.output(len(want)), want)
    print(f"rsyslog, mmexternal: {len(records)} lines, {changed(records, expected)} tagged, all others byte for byte")


main()
