//! Limits of open files that are lower than what is configured needs.

use std::io;
use std::os::unix::process::CommandExt;

use crate::peers::Protocol;
use crate::stage::Config;

#[test]
fn as_many_files_as_the_system_allows() {
    for (connections, is_enough) in [(100, true), (1000, false)] {
        let limits = format!(", limits: {{ connections: {connections} }}");
        let config = Config::new(&Protocol::Forward.source(&limits), "{ type: 'null' }", "");
        let mut stage = config.start_with(&[], |command| {
            let limit = libc::rlimit {
                rlim_cur: 200,
                rlim_max: 500,
            };
            // SAFETY: between fork and exec nothing but a system call is made, which reads the limit that it is given.
            unsafe {
                command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_NOFILE, &limit) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                });
            }
        });
        assert_eq!(stage.may_open(), 500);
        if !is_enough {
            stage.expect("500 are allowed: set `LimitNOFILE=2128`", 1);
        }
        stage.expect("listening", 1);
        stage.signal(libc::SIGTERM);
        assert_eq!(stage.end(), Some(0));
        stage.expect("all that was taken has been delivered", 1);
        assert_eq!(stage.count("LimitNOFILE="), usize::from(!is_enough));
    }
}
