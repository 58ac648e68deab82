"""rsyslog with the configurations in examples/rsyslog, except for paths and ports."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from stage import ROOT, substitute, until

EXAMPLES = ROOT / "examples/rsyslog"


class Rsyslog:
    """rsyslogd, from its configuration until the end of a `with` block, in a folder of its own."""

    def __init__(self, name, changes):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name)
        self.records = self.folder / "records.ndjson"
        self.tagged = self.folder / "tagged.ndjson"
        (self.folder / "work").mkdir()
        self.records.touch()
        paths = {
            "/var/spool/rsyslog": self.folder / "work",
            "/var/log/teams.ndjson": self.records,
            "/var/log/teams-tagged.ndjson": self.tagged,
        }
        self.config = self.folder / "rsyslog.conf"
        self.config.write_text(substitute(EXAMPLES / name, paths | changes))

    def __enter__(self):
        command = ["/usr/sbin/rsyslogd", "-n", "-f", str(self.config), "-i", str(self.folder / "pid")]
        subprocess.run([*command, "-N1"], check=True, capture_output=True)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        return self

    def output(self, size):
        """Waits until it has written so many bytes; what it has written."""

        def written():
            assert self.process.poll() is None, "rsyslogd ended"
            return self.tagged.exists() and self.tagged.stat().st_size >= size

        until(f"{size} bytes of rsyslogd", written)
        return self.tagged.read_bytes()

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            sys.exit("rsyslogd did not end")
        finally:
            self.temporary.cleanup()
