//! Runs one program once, and says what it took.
//!
//! The program is started by a fresh process of this command (`poseur-compare measure`), because the system counts
//! toward the peak memory of a child what its parent held when it was started.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::Error;

/// A run that takes longer has failed.
const LIMIT_SECONDS: u64 = 600;

/// How a program is told to do its job.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its standard input; nothing if `None`.
    pub stdin: Option<PathBuf>,
    /// Where its standard output goes; nowhere if `None`.
    pub stdout: Option<PathBuf>,
    /// The file it writes, if it does not end by itself: it is told to end when this file has stopped growing.
    pub endless: Option<PathBuf>,
}

/// What a run took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Seconds from start to end, or to the last growth of the output of a program that does not end.
    pub wall: f64,
    /// Seconds of processor time, user and system, with children.
    pub cpu: f64,
    /// Peak resident memory in bytes.
    pub peak: u64,
}

/// Runs a program through `measurer`, which is this command.
///
/// # Errors
/// [`Error::Measure`] if the measuring process fails. `Ok(Err(…))` says that the program did, and how.
pub fn run(
    measurer: &Path,
    program: &Path,
    job: &Job,
    folder: &Path,
) -> Result<Result<Usage, String>, Error> {
    let errors = folder.join("stderr");
    let mut command = Command::new(measurer);
    command.arg("measure").arg("--stderr").arg(&errors);
    for (flag, path) in [
        ("--stdin", &job.stdin),
        ("--stdout", &job.stdout),
        ("--endless", &job.endless),
    ] {
        if let Some(path) = path {
            command.arg(flag).arg(path);
        }
    }
    command.arg("--").arg(program).args(&job.arguments);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::Measure(format!("{}: {error}", measurer.display())))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Measure(text.trim().to_owned()));
    }
    let measured: Result<Usage, String> = serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::Measure(error.to_string()))?;
    Ok(measured.map_err(|reason| match last_line(&errors) {
        Some(line) => format!("{reason}: {line}"),
        None => reason,
    }))
}

fn last_line(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().rfind(|line| !line.trim().is_empty())?;
    Some(line.trim().chars().take(200).collect())
}

/// The measuring process: runs a program and returns what it took. `Err` says that the program failed, and how.
pub fn measure(program: &Path, job: &Job, errors: &Path) -> Result<Usage, String> {
    let open = |path: &PathBuf| File::open(path).map_err(|error| shown(path, &error));
    let create = |path: &Path| File::create(path).map_err(|error| shown(path, &error));
    let mut command = Command::new(program);
    command.args(&job.arguments);
    command.stdin(match &job.stdin {
        Some(path) => Stdio::from(open(path)?),
        None => Stdio::null(),
    });
    command.stdout(match &job.stdout {
        Some(path) => Stdio::from(create(path)?),
        None => Stdio::null(),
    });
    command.stderr(create(errors)?);
    unix::measure(command, job.endless.as_deref())
}

fn shown(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(unix)]
mod unix {
    use std::path::Path;
    use std::process::{Child, Command};
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::thread;
    use std::time::{Duration, Instant};

    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::signal::{Signal, kill};
    use nix::sys::time::TimeVal;
    use nix::unistd::Pid;

    use super::{LIMIT_SECONDS, Usage};

    /// An output that has not grown for this long is complete.
    const QUIET: Duration = Duration::from_secs(1);

    pub fn measure(mut command: Command, endless: Option<&Path>) -> Result<Usage, String> {
        let start = Instant::now();
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let pid = Pid::from_raw(i32::try_from(child.id()).map_err(|error| error.to_string())?);
        let (ended, end) = channel::<()>();
        let watchdog = thread::spawn(move || {
            let late = end.recv_timeout(Duration::from_secs(LIMIT_SECONDS));
            let late = late == Err(RecvTimeoutError::Timeout);
            if late {
                // It may just have ended, which is as good.
                let _ = kill(pid, Signal::SIGKILL);
            }
            late
        });
        let quiet = match endless {
            Some(output) => {
                let quiet = until_quiet(&mut child, output, start)?;
                kill(pid, Signal::SIGTERM).map_err(|error| error.to_string())?;
                Some(quiet)
            }
            None => None,
        };
        let status = child.wait().map_err(|error| error.to_string())?;
        let wall = quiet.unwrap_or_else(|| start.elapsed());
        drop(ended);
        if watchdog.join().unwrap_or(false) {
            return Err(format!("did not end within {LIMIT_SECONDS} s"));
        }
        if !status.success() {
            return Err(status.to_string());
        }
        // The program was the only child there ever was.
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
        // Linux counts in KiB, macOS in bytes.
        let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        Ok(Usage {
            wall: wall.as_secs_f64(),
            cpu: seconds(usage.user_time()) + seconds(usage.system_time()),
            peak: u64::try_from(usage.max_rss()).unwrap_or(0) * unit,
        })
    }

    fn seconds(time: TimeVal) -> f64 {
        time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
    }

    /// How long after `start` an output grew for the last time.
    fn until_quiet(child: &mut Child, output: &Path, start: Instant) -> Result<Duration, String> {
        let mut size = 0;
        let mut grown = None;
        loop {
            let now = Instant::now();
            let length = std::fs::metadata(output).map_or(0, |metadata| metadata.len());
            if length > size {
                size = length;
                grown = Some(now);
            }
            if let Some(grown) = grown.filter(|grown| now - *grown > QUIET) {
                return Ok(grown - start);
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!("ended before it was told to: {status}"));
            }
            if start.elapsed().as_secs() > LIMIT_SECONDS {
                return Err(format!("did not end within {LIMIT_SECONDS} s"));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

#[cfg(not(unix))]
mod unix {
    pub fn measure(
        _: std::process::Command,
        _: Option<&std::path::Path>,
    ) -> Result<super::Usage, String> {
        Err("measuring needs a Unix system".to_owned())
    }
}
