//! How many files may be open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Open beside connections: listeners, the log, what the runtime needs, rules while they are read, those who look on.
const OTHERS: usize = 128;

/// Raises the soft limit to the hard one. The soft one is mostly 1,024, for the sake of programs that can watch no more
/// (<https://0pointer.net/blog/file-descriptor-limits.html>); this is none of them.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // If it stays as it is, `check` says whether it is enough.
    let _ = setrlimit(Resource::Nofile, raised);
}

/// Says in the log what to do if fewer files may be open than so many connections of senders, and as many downstream,
/// need.
pub fn check(connections: usize) {
    let needed = connections.saturating_mul(2).saturating_add(OTHERS);
    let allowed = getrlimit(Resource::Nofile).current;
    if let Some(allowed) = allowed.filter(|allowed| *allowed < needed as u64) {
        warn!(
            "{connections} connections, and as many downstream, need {needed} open files, and {allowed} are allowed: \
             set `LimitNOFILE={needed}` in the unit of systemd, raise `ulimit -Hn`, or lower `limits.connections`"
        );
    }
}
