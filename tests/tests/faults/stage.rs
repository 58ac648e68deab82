//! `poseur serve` as a process: started, watched, killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::command_support::{Folder, poll, poseur, wait};

/// A stage at work. It is killed when it is dropped.
pub struct Stage {
    child: Child,
    log: Arc<Mutex<Vec<Value>>>,
}

/// A configuration in a folder of its own.
pub struct Config {
    pub folder: Folder,
}

impl Config {
    /// One pipeline with impatient retries.
    pub fn new(source: &str, sink: &str, more: &str) -> Config {
        let config = Config {
            folder: Folder::new(),
        };
        config.write(source, sink, more);
        config
    }

    /// Writes it anew. `more` is further lines of the pipeline.
    pub fn write(&self, source: &str, sink: &str, more: &str) {
        let retry = match more.contains("retry:") {
            true => "",
            false => "    retry: { first: 2ms, longest: 50ms, limit: 2s }\n",
        };
        let text =
            format!("pipelines:\n  p:\n    source: {source}\n    sink: {sink}\n{retry}{more}");
        // At once: a stage that looks for changes must not see half of it.
        let path = self.folder.file("c.yaml.new", text);
        fs::rename(path, self.folder.path("c.yaml")).unwrap();
    }

    /// Starts a stage, and waits until it listens.
    pub fn start(&self) -> Stage {
        self.start_with(&[], |_| {})
    }

    /// With further arguments, and in another environment.
    pub fn start_with(&self, more: &[&str], change: impl FnOnce(&mut Command)) -> Stage {
        let path = self.folder.path("c.yaml");
        let mut command = poseur(["serve", "--log", "json", "-c", &path]);
        command
            .args(more)
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let (log, lines) = (Arc::<Mutex<Vec<Value>>>::default(), child.stderr.take());
        let noted = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(lines.unwrap()).lines().map_while(Result::ok) {
                let entry = serde_json::from_str(&line).unwrap_or(Value::String(line));
                noted.lock().unwrap().push(entry);
            }
        });
        let mut stage = Stage { child, log };
        let starts = poll(|| {
            let ended = stage.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {:?}", stage.log.lock());
            // A source that listens, or one that fetches.
            stage.count("listening") + stage.count("fetching") > 0
        });
        assert!(starts, "it does not start: {:?}", stage.log.lock());
        stage
    }
}

impl Stage {
    /// Where it listens: the last place that it told of.
    pub fn address(&self) -> SocketAddr {
        let log = self.log.lock().unwrap();
        let place = log
            .iter()
            .rev()
            .find_map(|entry| entry["fields"]["place"].as_str());
        place.unwrap().parse().unwrap()
    }

    /// How many entries of the log have a text in them.
    pub fn count(&self, text: &str) -> usize {
        let log = self.log.lock().unwrap();
        let entries = log.iter().map(ToString::to_string);
        entries.filter(|entry| entry.contains(text)).count()
    }

    /// Waits for so many entries of the log with a text.
    #[track_caller]
    pub fn expect(&self, text: &str, times: usize) {
        let told = poll(|| self.count(text) >= times);
        assert!(told, "`{text}` not {times} times in {}", self.tail());
    }

    /// The end of the log.
    pub fn tail(&self) -> String {
        let log = self.log.lock().unwrap();
        let tail = log.iter().rev().take(10).map(|entry| format!("{entry}\n"));
        tail.collect()
    }

    /// Its memory in bytes, by a name of `/proc/PID/status`: `VmRSS` now, `VmHWM` the most so far.
    pub fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let figure = line.and_then(|line| line.split_whitespace().next());
        figure.unwrap().parse::<u64>().unwrap() << 10
    }

    /// How many files and sockets it may open.
    pub fn may_open(&self) -> u64 {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"));
        let soft = line.and_then(|line| line.split_whitespace().next());
        soft.unwrap().parse().unwrap()
    }

    /// How many files and sockets it has open.
    pub fn open(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        fs::read_dir(folder).unwrap().count()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: sends a signal to a process that we have started and not waited for.
        let sent = unsafe { libc::kill(self.child.id().cast_signed(), signal) };
        assert_eq!(sent, 0);
    }

    /// Whether it is still there, and nothing in it has panicked.
    #[track_caller]
    pub fn check(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "{ended:?}: {}", self.tail());
        assert_eq!(self.count("panicked"), 0, "{}", self.tail());
    }

    /// Kills it: SIGKILL. The most memory it has used.
    #[track_caller]
    pub fn kill(&mut self) -> u64 {
        self.check();
        let memory = self.memory("VmHWM:");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        memory
    }

    /// Waits for its end; the exit code.
    pub fn end(&mut self) -> Option<i32> {
        let code = wait(&mut self.child);
        assert_eq!(self.count("panicked"), 0, "{}", self.tail());
        code
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
