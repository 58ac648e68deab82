//! Certificates are replaced under load. Who trusts the old authority and the new one has no failed delivery.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::command_support::Folder;
use crate::downstream::Downstream;
use crate::ledger::Ledger;
use crate::load::{Habits, Load};
use crate::peers::Protocol;
use crate::stage::Config;

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let common = rcgen::DnType::CommonName;
    params.distinguished_name.push(common, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes a certificate and its key, one after the other: whoever looks in between sees two that do not go together.
fn certify(folder: &Folder, authority: &CertifiedIssuer<'_, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    folder.file("crt", certificate.pem());
    folder.file("key", key.serialize_pem());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_replaced_without_a_failed_delivery() {
    let files = Folder::new();
    let authorities = [authority("old"), authority("new")];
    let both = authorities.each_ref().map(|authority| authority.pem());
    let ca = files.file("ca", both.concat());
    certify(&files, &authorities[0]);
    let ledger = Arc::new(Ledger::new(3, Protocol::Forward, Protocol::Forward));
    let downstream = Downstream::start(Protocol::Forward, ledger.clone()).await;
    let to = Protocol::Forward.sink(downstream.address, "10s");
    let tls = format!(
        ", tls: {{ certificate: {:?}, key: {:?} }}",
        files.path("crt"),
        files.path("key")
    );
    let inner_config = Config::new(&Protocol::Forward.source(&tls), &to, "");
    let mut inner = inner_config.start();
    // One attempt: if it fails, the sender loses its connection.
    let sink = format!(
        "{{ type: forward, connect: ['{}'], tls: {{ ca: {ca:?} }} }}",
        inner.address()
    );
    let once = "    retry: { first: 1ms, longest: 1ms, limit: 1ms }\n";
    let outer_config = Config::new(&Protocol::Forward.source(""), &sink, once);
    let mut outer = outer_config.start();
    let habits = Habits {
        // With each connection of a sender there is a new one, and a new handshake, between the stages.
        stay: 3,
        ..Habits::default()
    };
    let mut load = Load::with(habits, Protocol::Forward, outer.address(), 3, 100, &ledger);
    load.advance(30).await;
    for authority in authorities.iter().rev().cycle().take(6) {
        let before = inner.count("were read again");
        certify(&files, authority);
        inner.signal(libc::SIGHUP);
        inner.expect("were read again", before + 1);
        load.advance(30).await;
    }
    load.end().await;
    inner.check();
    outer.check();
    assert_eq!(load.reconnects(), 0, "{}", outer.tail());
    assert!(load.ended() > 50, "handshakes");
    println!(
        "6 certificates, {} handshakes, {} records",
        load.ended(),
        load.acknowledged()
    );
}
