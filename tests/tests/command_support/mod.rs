//! Runs the `poseur` command as a user would, and waits by polling: time decides nothing but when
//! to give up.

#![allow(dead_code)]

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// After this long nothing more is expected to happen.
pub const GIVE_UP: Duration = Duration::from_secs(120);

/// The moment that tests take for now.
pub const AT: &str = "2026-11-20T12:00:00Z";

/// Elastic's rule.
pub const RULE_A: &str = "e8e7b6b6-78b0-4015-97fe-c2f28468e0d4";

/// Microsoft's query.
pub const RULE_B: &str = "389ead4a-6dfe-47e1-9236-165eb08f1017";

/// The command, built as the tests were built; or that of `POSEUR_BIN`, a file named `poseur` in a folder of its own.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(binary) = std::env::var_os("POSEUR_BIN") {
            return PathBuf::from(binary);
        }
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet", "-p", "poseur", "--bin", "poseur"]);
        build.args(["--message-format", "json"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        if cfg!(feature = "vrl") {
            build.args(["--features", "vrl"]);
        }
        if cfg!(feature = "serve") {
            build.args(["--features", "serve"]);
        }
        if cfg!(feature = "kafka") {
            build.args(["--features", "kafka"]);
        }
        // What cargo says to this test is not said to those who build without it; some build scripts would run anew.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                build.env_remove(&*name);
            }
        }
        build
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit());
        let output = build.output().expect("cargo runs");
        assert!(output.status.success(), "the command cannot be built");
        let messages = String::from_utf8(output.stdout).unwrap();
        let executable = messages
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
            .next_back();
        executable.expect("cargo says where the command is")
    })
}

/// The command with arguments, in an environment that is always the same.
pub fn poseur<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(binary());
    command.args(args);
    for name in ["NO_COLOR", "COLUMNS", "LANG", "LC_CTYPE", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C.UTF-8").env("TERM", "xterm");
    command
}

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub err: String,
}

impl Ran {
    /// Standard output as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Standard output as lines of JSON.
    pub fn json_lines(&self) -> Vec<Value> {
        let lines = self.text().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Checks the exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{}", self.err);
        self
    }

    /// A figure of the summary.
    #[track_caller]
    pub fn figure(&self, name: &str) -> u64 {
        let line = self
            .err
            .lines()
            .find_map(|line| line.trim().strip_prefix(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in:\n{}", self.err));
        line.trim().parse().unwrap()
    }
}

/// Runs a command on an input to its end.
pub fn run_command(mut command: Command, input: impl Into<Vec<u8>>) -> Ran {
    let input = input.into();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that is refused ends without reading.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let out = thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let err = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let code = wait(&mut child);
    writer.join().unwrap();
    Ran {
        code,
        out: out.join().unwrap(),
        err: err.join().unwrap(),
    }
}

/// Runs `poseur` with arguments on an input.
pub fn run<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>, input: impl Into<Vec<u8>>) -> Ran {
    run_command(poseur(args), input)
}

/// Polls until a process ends.
pub fn wait(child: &mut Child) -> Option<i32> {
    let mut code = None;
    let ended = poll(|| match child.try_wait().unwrap() {
        Some(status) => {
            code = status.code();
            true
        }
        None => false,
    });
    if !ended {
        let _ = child.kill();
        let _ = child.wait();
        panic!("the command does not end");
    }
    code
}

/// Polls until something holds; `false` if it never does.
pub fn poll(mut holds: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !holds() {
        if started.elapsed() > GIVE_UP {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}

/// A folder of its own for a test, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("poseur-command-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// The path of a file.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }

    /// Writes a file; its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Whether there is such a file.
    pub fn has(&self, name: &str) -> bool {
        Path::new(&self.path(name)).exists()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A record that matches rule A because of the sender's address.
pub fn chat(sender: &str) -> String {
    format!(
        r#"{{"CreationTime":"2026-11-19T08:00:00","Id":"1","Operation":"ChatCreated","OrganizationId":"o","RecordType":25,"Workload":"MicrosoftTeams","UserId":"{sender}","CommunicationType":"OneOnOne","ParticipantInfo":{{"HasForeignTenantUsers":true,"HasGuestUsers":false,"HasOtherGuestUsers":false}},"Members":[{{"DisplayName":"Somebody","UPN":"{sender}"}},{{"DisplayName":"Ann","UPN":"ann@contoso.example"}}],"ChatThreadId":"19:chat"}}"#
    )
}

/// A row that matches rule B, if it is new enough.
pub fn row(timestamp: &str) -> String {
    format!(
        r#"{{"Timestamp":"{timestamp}","SenderEmailAddress":"x@vendor.example","IsExternalThread":true,"RecipientDetails":"Help Desk"}}"#
    )
}

/// A rule in Sigma, for records whose `field` has a value.
pub fn rule(id: &str, title: &str, field: &str, value: &str) -> String {
    format!(
        "title: {title}\nid: {id}\nlogsource: {{category: any}}\nlevel: low\ndetection:\n  sel:\n    {field}: {value}\n  condition: sel\n"
    )
}

/// An exception for a domain.
pub fn exception(id: &str, domain: &str, more: &str) -> String {
    format!("- {{id: {id}, reason: it is us, owner: Ann, domain: {domain}{more}}}\n")
}
