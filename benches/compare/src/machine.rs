//! The machine a comparison ran on, as far as it tells.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What figures depend on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Cores this process may use.
    pub cores: usize,
    /// Memory in bytes.
    pub memory: u64,
    /// Kernel and its release.
    pub kernel: String,
    /// How many processes wanted a core, on average over the minute before.
    pub load: f64,
}

impl Machine {
    /// Asks this machine. What it does not tell is empty or zero.
    pub fn this() -> Machine {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let word = |text: String, at| -> String {
            text.split_whitespace()
                .nth(at)
                .unwrap_or_default()
                .to_owned()
        };
        Machine {
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory: field(&read("/proc/meminfo"), "MemTotal")
                .and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok())
                .map_or(0, |kib| kib * 1024),
            kernel: format!(
                "{} {}",
                std::env::consts::OS,
                read("/proc/sys/kernel/osrelease").trim()
            ),
            load: word(read("/proc/loadavg"), 0).parse().unwrap_or(0.0),
        }
    }

    /// In one line, for a table's caption.
    pub fn text(&self) -> String {
        let cpu = if self.cpu.is_empty() {
            "an unnamed processor"
        } else {
            &self.cpu
        };
        format!(
            "{cpu}, {} cores, {:.0} GiB of memory, {}, load {:.1} at the start",
            self.cores,
            self.memory as f64 / f64::from(1 << 30),
            self.kernel,
            self.load
        )
    }
}

/// The value after `name :` in a file of `/proc`.
fn field(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

/// Whether files below a folder are kept in memory.
pub fn is_in_memory(folder: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let longest = mounts
        .filter(|(point, _)| folder.starts_with(point))
        .max_by_key(|(point, _)| point.len());
    longest.is_some_and(|(_, kind)| kind == "tmpfs")
}

/// How many bytes may still be written below a folder; 0 if it is none.
pub fn room(folder: &Path) -> u64 {
    #[cfg(unix)]
    if let Ok(status) = nix::sys::statvfs::statvfs(folder) {
        // On some systems these are narrower.
        #[allow(clippy::useless_conversion)]
        return u64::from(status.blocks_available()) * u64::from(status.fragment_size());
    }
    let _ = folder;
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz: fast\nmodel name\t: other\n";
        assert_eq!(field(text, "model name").unwrap(), "Some CPU @ 2 GHz: fast");
        assert_eq!(
            field("MemTotal:  24105 kB\n", "MemTotal").unwrap(),
            "24105 kB"
        );
        assert_eq!(field(text, "model"), None);
    }

    #[test]
    fn this_machine_tells_something() {
        let machine = Machine::this();
        assert!(machine.cores > 0, "{machine:?}");
        assert!(machine.text().contains(" cores, "));
        if cfg!(target_os = "linux") {
            assert!(machine.memory > 0 && room(Path::new("/")) > 0);
            assert!(!is_in_memory(Path::new("/proc")));
        }
    }
}
