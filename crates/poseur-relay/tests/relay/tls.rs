//! TLS between two stages: who is who, and certificates that are replaced.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::callers::{Caller, Downstream};
use crate::peers::{OTHER, Peer, Stage, downstream, event, id};
use poseur_relay::grpc::Code;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::time::timeout;

/// An authority, and the certificates it gives.
struct Authority<'a> {
    issuer: CertifiedIssuer<'a, KeyPair>,
    folder: &'a Path,
}

impl<'a> Authority<'a> {
    fn new(folder: &'a Path, name: &str) -> Authority<'a> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.join(format!("{name}.ca")), issuer.pem()).unwrap();
        Authority { issuer, folder }
    }

    /// Writes `NAME.crt` and `NAME.key`.
    fn certificate(&self, name: &str, host: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        // Not in two steps: whoever looks must not see one without the other.
        for (end, text) in [("key", key.serialize_pem()), ("crt", certificate.pem())] {
            let file = self.folder.join(format!("{name}.{end}"));
            fs::write(&file, text).unwrap();
        }
    }
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

fn source(folder: &Path, more: &str) -> String {
    let (certificate, key) = (path(folder, "inner.crt"), path(folder, "inner.key"));
    format!(
        "{{ type: forward, listen: 127.0.0.1:0, limits: {{ largest: 1MiB }}, \
         tls: {{ certificate: {certificate:?}, key: {key:?}{more} }} }}"
    )
}

#[tokio::test]
async fn both_sides_show_who_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (good, bad) = (
        Authority::new(folder, "good"),
        Authority::new(folder, "bad"),
    );
    good.certificate("inner", "127.0.0.1");
    good.certificate("outer", "outer");
    bad.certificate("stranger", "outer");
    let (to, got) = downstream(usize::MAX).await;
    let plain = format!("{{ type: forward, connect: ['{to}'] }}");
    let mutual = format!(", client_ca: {:?}", path(folder, "good.ca"));
    let inner = Stage::start(&source(folder, &mutual), &plain, "").await;
    let address = inner.address();
    let own = |name: &str| {
        let (certificate, key) = (path(folder, name), path(folder, name));
        format!(
            ", certificate: {:?}, key: {:?}",
            certificate.with_extension("crt"),
            key.with_extension("key")
        )
    };
    let good_ca = path(folder, "good.ca");
    let bad_ca = path(folder, "bad.ca");
    for (tls, fine) in [
        (format!("tls: {{ ca: {good_ca:?}{} }}", own("outer")), true),
        (format!("tls: {{ ca: {good_ca:?} }}"), false),
        (
            format!("tls: {{ ca: {good_ca:?}{} }}", own("stranger")),
            false,
        ),
        (format!("tls: {{ ca: {bad_ca:?}{} }}", own("outer")), false),
        (
            format!(
                "tls: {{ ca: {good_ca:?}, server_name: elsewhere{} }}",
                own("outer")
            ),
            false,
        ),
        ("connect_timeout: 10s".to_owned(), false),
    ] {
        let sink = format!("{{ type: forward, connect: ['{address}'], {tls} }}");
        let source = "{ type: forward, listen: 127.0.0.1:0, limits: { largest: 1MiB } }";
        let outer = Stage::start(source, &sink, "").await;
        let mut sender = Peer::connect(outer.address()).await;
        sender.send(&event(OTHER), id("one")).await;
        let answered = timeout(Duration::from_secs(30), sender.message())
            .await
            .unwrap();
        assert_eq!(
            answered.is_some(),
            fine,
            "{tls}: {:?}",
            outer.pipeline.ends()
        );
    }
    assert_eq!(got.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn certificates_are_replaced_while_connections_stay() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let old = Authority::new(folder, "old");
    old.certificate("inner", "127.0.0.1");
    let (to, got) = downstream(usize::MAX).await;
    let plain = format!("{{ type: forward, connect: ['{to}'] }}");
    let mut inner = Stage::start(&source(folder, ""), &plain, "").await;
    let address = inner.address();
    let outer = |ca: &str| {
        let ca = path(folder, ca);
        let sink = format!("{{ type: forward, connect: ['{address}'], tls: {{ ca: {ca:?} }} }}");
        async move {
            let source = "{ type: forward, listen: 127.0.0.1:0, limits: { largest: 1MiB } }";
            let outer = Stage::start(source, &sink, "").await;
            let sender = Peer::connect(outer.address()).await;
            (outer, sender)
        }
    };
    let (_before, mut early) = outer("old.ca").await;
    early.send(&event(OTHER), id("one")).await;
    assert_eq!(early.ack().await.unwrap(), b"one");
    Authority::new(folder, "new").certificate("inner", "127.0.0.1");
    let config = inner.config();
    inner.relay.change(&config).await.unwrap();
    for (ca, fine) in [("new.ca", true), ("old.ca", false)] {
        let (_outer, mut late) = outer(ca).await;
        late.send(&event(OTHER), id("two")).await;
        assert_eq!(late.message().await.is_some(), fine, "{ca}");
    }
    // A key that is not the certificate's: nothing changes.
    let key = KeyPair::generate().unwrap();
    fs::write(path(folder, "inner.key"), key.serialize_pem()).unwrap();
    let error = inner.relay.change(&config).await.unwrap_err().to_string();
    assert!(error.contains("inner.key do not go together"), "{error}");
    early.send(&event(OTHER), id("three")).await;
    assert_eq!(early.ack().await.unwrap(), b"three");
    assert_eq!(got.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn vectors_protocol_is_spoken_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::new(folder, "good");
    authority.certificate("inner", "127.0.0.1");
    let to = Downstream::start().await;
    let plain = format!("{{ type: vector, connect: ['{}'] }}", to.address);
    let source = source(folder, "").replacen("forward", "vector", 1);
    let inner = Stage::start(&source, &plain, "").await;
    let ca = path(folder, "good.ca");
    for (tls, code) in [
        (format!("tls: {{ ca: {ca:?} }}"), Code::Ok),
        ("compress: none".to_owned(), Code::Unavailable),
    ] {
        let address = inner.address();
        let sink = format!("{{ type: vector, connect: ['{address}'], {tls} }}");
        let source = "{ type: vector, listen: 127.0.0.1:0, limits: { largest: 1MiB } }";
        let outer = Stage::start(source, &sink, "").await;
        let mut sender = Caller::connect(outer.address()).await;
        assert_eq!(sender.push("identity", b"events").await.code, code, "{tls}");
    }
    assert_eq!(to.take().len(), 1);
}
