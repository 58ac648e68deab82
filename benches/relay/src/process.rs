//! What stands in the middle: `poseur serve`, or a proxy, as a process.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Args;

/// A process that listens.
pub struct Process {
    child: Child,
    /// Where.
    pub address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// A port that is free now.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}

impl Process {
    /// `poseur serve` with one pipeline; `LISTEN` stands for its address there.
    pub fn serve(args: &Args, pipeline: &str) -> Process {
        let own = std::env::current_exe().expect("this program's path");
        let poseur = args
            .poseur
            .clone()
            .unwrap_or_else(|| own.with_file_name("poseur"));
        let (folder, address) = (tempfile::tempdir().expect("a folder"), free());
        let file = folder.path().join("poseur.yaml");
        let pipeline = pipeline.replace("LISTEN", &address.to_string());
        fs::write(&file, format!("pipelines:\n  bench:\n{pipeline}")).expect("a configuration");
        let mut command = Command::new(&poseur);
        command.arg("serve").arg("-c").arg(&file);
        Process::start(command, poseur, address, folder)
    }

    /// This program as a proxy.
    pub fn proxy(to: SocketAddr) -> Process {
        let own = std::env::current_exe().expect("this program's path");
        let (folder, address) = (tempfile::tempdir().expect("a folder"), free());
        let mut command = Command::new(&own);
        command.args(["--proxy", &address.to_string(), &to.to_string()]);
        Process::start(command, own, address, folder)
    }

    fn start(
        mut command: Command,
        program: PathBuf,
        address: SocketAddr,
        folder: tempfile::TempDir,
    ) -> Process {
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap_or_else(|error| {
            let program = program.display();
            panic!("{program}: {error}: cargo build --release -p poseur --features serve")
        });
        let limit = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            let ended = child.try_wait().expect("its state");
            assert!(
                ended.is_none(),
                "{}: it ended: {ended:?}",
                program.display()
            );
            assert!(
                Instant::now() < limit,
                "{}: nobody listens",
                program.display()
            );
            sleep(Duration::from_millis(10));
        }
        Process {
            child,
            address,
            _folder: folder,
        }
    }

    /// CPU time so far.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        // After the name in brackets: state is the first; user and system time, in hundredths, the 12th and 13th.
        let after = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = after.split(' ').skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// The most memory that was resident so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak.unwrap_or(0) * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = Pid::from_raw(self.child.id() as i32);
        let _ = kill(id, Signal::SIGTERM);
        let _ = self.child.wait();
    }
}
