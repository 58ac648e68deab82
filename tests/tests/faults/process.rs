//! A downstream that is a process of its own, and is killed as one: this executable, which starts itself.

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::{env, io, process, thread};

use tokio::net::TcpListener;

use crate::command_support::Folder;
use crate::downstream::{self, Manner};
use crate::journal;
use crate::ledger::Ledger;
use crate::peers::Protocol;

/// What such a process is told by its environment: what it speaks, where, and where it writes to.
const ORDERS: [&str; 3] = [
    "POSEUR_FAULT_PROTOCOL",
    "POSEUR_FAULT_LISTEN",
    "POSEUR_FAULT_JOURNAL",
];

/// A downstream that says only that it has what it has written down.
pub struct Downstream {
    protocol: Protocol,
    pub address: SocketAddr,
    ledger: Arc<Ledger>,
    folder: Folder,
    child: Child,
}

impl Downstream {
    /// Starts one, and enters what it writes down into a ledger.
    pub async fn start(protocol: Protocol, ledger: Arc<Ledger>) -> Downstream {
        // Nobody else takes the address.
        let address = downstream::listener().await.local_addr().unwrap();
        let folder = Folder::new();
        let child = run(protocol, address, &folder, &ledger);
        Downstream {
            protocol,
            address,
            ledger,
            folder,
            child,
        }
    }

    /// Kills it: SIGKILL. Its journal is read to the end.
    #[track_caller]
    pub fn kill(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "the downstream itself failed: {ended:?}");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.ledger.leave();
    }

    /// Starts it again where it was.
    pub fn revive(&mut self) {
        self.child = run(self.protocol, self.address, &self.folder, &self.ledger);
    }
}

impl Drop for Downstream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(protocol: Protocol, address: SocketAddr, folder: &Folder, ledger: &Ledger) -> Child {
    // What the last one wrote has been read.
    let journal = folder.file("journal", "");
    ledger.follow(protocol, journal::Reader::open(&journal));
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "--ignored", "--nocapture"])
        .arg(format!("{module}::a_downstream"))
        .envs(
            ORDERS
                .into_iter()
                .zip([protocol.name(), &address.to_string(), &journal]),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    command.spawn().unwrap()
}

/// No test, but the process of a downstream.
#[tokio::test]
#[ignore = "tests start it"]
async fn a_downstream() {
    let [Ok(protocol), Ok(address), Ok(journal)] = ORDERS.map(env::var) else {
        return;
    };
    // It does not outlive the test, whose pipe this is.
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        process::exit(0);
    });
    let protocols = [Protocol::Forward, Protocol::Http, Protocol::Vector];
    let protocol = protocols.into_iter().find(|one| one.name() == protocol);
    let journal = journal::Writer::open(journal);
    let listener = TcpListener::bind(address).await.unwrap();
    let keep = Arc::new(move |message: &[u8]| journal.keep(message));
    downstream::accept(listener, protocol.unwrap(), keep, Manner::well()).await;
}
