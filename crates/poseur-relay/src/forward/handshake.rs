//! The handshake of senders and receivers that share a key: HELO, PING, PONG.
//!
//! Each side proves that it knows the key by a digest over it, a salt of the sender and a nonce of the
//! receiver; neither tells it. The host names are part of it, and must differ, so that nobody can hand a
//! digest back to who sent it.

use std::fmt;

use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

use super::read::{Reader, Wrong};

/// What both sides know.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The shared key.
    pub key: Vec<u8>,
    /// Names and passwords; if there are any, a sender must give one of them.
    pub users: Vec<(String, String)>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(not shown)")
    }
}

/// Why a handshake fails. The text goes to the other side, so that its log says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The digests differ.
    #[error("shared key mismatch")]
    Key,
    /// Both sides have the same name.
    #[error("same hostname between input and output: invalid configuration")]
    SameName,
    /// No such user, or another password.
    #[error("username/password mismatch")]
    User,
    /// The receiver said no, and not why in words that can be shown.
    #[error("the receiver refuses the connection")]
    Refused,
    /// Something else came.
    #[error("the handshake was expected: {0}")]
    Wrong(#[from] Wrong),
}

/// The receiver's first word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Helo<'a> {
    /// Random bytes, new for each connection.
    pub nonce: &'a [u8],
    /// Random bytes that passwords are salted with; empty if no user is asked for.
    pub auth: &'a [u8],
    /// Whether the connection may stay open.
    pub keepalive: bool,
}

/// The sender's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping<'a> {
    /// The sender's name.
    pub hostname: &'a [u8],
    /// Random bytes, new for each connection.
    pub salt: &'a [u8],
    digest: &'a [u8],
    user: &'a [u8],
    password: &'a [u8],
}

/// The receiver's last word, if it is yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pong<'a> {
    /// The receiver's name.
    pub hostname: &'a [u8],
    digest: &'a [u8],
}

/// SHA-512 of the parts, one after the other, as lower-case hexadecimal digits.
fn digest(parts: [&[u8]; 4]) -> String {
    let mut digest = Sha512::new();
    parts.iter().for_each(|part| digest.update(part));
    let digest = digest.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares without telling by the time how much is right.
fn same(one: &[u8], other: &str) -> bool {
    one.ct_eq(other.as_bytes()).into()
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    // Writing into memory does not fail.
    let _ = rmp::encode::write_str_len(out, text.len() as u32);
    out.extend_from_slice(text);
}

fn begin(name: &str, elements: u32, out: &mut Vec<u8>) {
    let _ = rmp::encode::write_array_len(out, elements);
    write_text(name.as_bytes(), out);
}

/// The elements of a message of this name and size.
fn open<'a>(bytes: &'a [u8], name: &'static str, elements: usize) -> Result<Reader<'a>, Wrong> {
    let mut reader = Reader::new(bytes);
    if reader.list()? != elements || reader.text()? != name.as_bytes() {
        return Err(Wrong::Expected(name, 0));
    }
    Ok(reader)
}

impl<'a> Helo<'a> {
    /// Writes it.
    pub fn write(&self, out: &mut Vec<u8>) {
        begin("HELO", 2, out);
        let _ = rmp::encode::write_map_len(out, 3);
        for (name, bytes) in [("nonce", self.nonce), ("auth", self.auth)] {
            write_text(name.as_bytes(), out);
            let _ = rmp::encode::write_bin(out, bytes);
        }
        write_text(b"keepalive", out);
        let _ = rmp::encode::write_bool(out, self.keepalive);
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(bytes: &'a [u8]) -> Result<Helo<'a>, Wrong> {
        let mut reader = open(bytes, "HELO", 2)?;
        let mut helo = Helo {
            nonce: b"",
            auth: b"",
            keepalive: true,
        };
        for _ in 0..reader.map()? {
            match reader.text()? {
                b"nonce" => helo.nonce = reader.text()?,
                b"auth" => helo.auth = reader.text()?,
                b"keepalive" => helo.keepalive = reader.flag()?,
                _ => {
                    reader.value()?;
                }
            }
        }
        reader.end()?;
        Ok(helo)
    }
}

impl<'a> Ping<'a> {
    /// Writes the answer to a HELO. Of the users the first is named, if one is asked for.
    pub fn write(
        helo: &Helo<'_>,
        hostname: &[u8],
        salt: &[u8],
        secrets: &Secrets,
        out: &mut Vec<u8>,
    ) {
        begin("PING", 6, out);
        write_text(hostname, out);
        let _ = rmp::encode::write_bin(out, salt);
        let proof = digest([salt, hostname, helo.nonce, &secrets.key]);
        write_text(proof.as_bytes(), out);
        match secrets.users.first().filter(|_| !helo.auth.is_empty()) {
            Some((user, password)) => {
                write_text(user.as_bytes(), out);
                let proof = digest([helo.auth, user.as_bytes(), password.as_bytes(), b""]);
                write_text(proof.as_bytes(), out);
            }
            None => {
                write_text(b"", out);
                write_text(b"", out);
            }
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(bytes: &'a [u8]) -> Result<Ping<'a>, Wrong> {
        let mut reader = open(bytes, "PING", 6)?;
        let ping = Ping {
            hostname: reader.text()?,
            salt: reader.text()?,
            digest: reader.text()?,
            user: reader.text()?,
            password: reader.text()?,
        };
        reader.end()?;
        Ok(ping)
    }

    /// Whether the sender may come in.
    ///
    /// # Errors
    /// If not.
    pub fn check(&self, helo: &Helo<'_>, hostname: &[u8], secrets: &Secrets) -> Result<(), Denied> {
        if self.hostname == hostname {
            return Err(Denied::SameName);
        }
        let expected = digest([self.salt, self.hostname, helo.nonce, &secrets.key]);
        if !same(self.digest, &expected) {
            return Err(Denied::Key);
        }
        // All are tried, so that the time does not tell which of them exist.
        let known = secrets.users.iter().fold(false, |known, (user, password)| {
            let expected = digest([helo.auth, user.as_bytes(), password.as_bytes(), b""]);
            let right = same(self.user, user) & same(self.password, &expected);
            known | right
        });
        match secrets.users.is_empty() || known {
            true => Ok(()),
            false => Err(Denied::User),
        }
    }
}

impl<'a> Pong<'a> {
    /// Writes the answer to a PING: yes with a proof, or no with the reason.
    pub fn write(
        verdict: Result<(), Denied>,
        helo: &Helo<'_>,
        ping: &Ping<'_>,
        hostname: &[u8],
        secrets: &Secrets,
        out: &mut Vec<u8>,
    ) {
        begin("PONG", 5, out);
        let _ = rmp::encode::write_bool(out, verdict.is_ok());
        match verdict {
            Ok(()) => {
                write_text(b"", out);
                write_text(hostname, out);
                let proof = digest([ping.salt, hostname, helo.nonce, &secrets.key]);
                write_text(proof.as_bytes(), out);
            }
            Err(denied) => {
                write_text(denied.to_string().as_bytes(), out);
                write_text(b"", out);
                write_text(b"", out);
            }
        }
    }

    /// Reads it, and checks that the receiver knows the key.
    ///
    /// # Errors
    /// If it says no, or does not know the key.
    pub fn read(
        bytes: &'a [u8],
        helo: &Helo<'_>,
        hostname: &[u8],
        salt: &[u8],
        secrets: &Secrets,
    ) -> Result<Pong<'a>, Denied> {
        let mut reader = open(bytes, "PONG", 5)?;
        let accepted = reader.flag()?;
        let reason = reader.text()?;
        let pong = Pong {
            hostname: reader.text()?,
            digest: reader.text()?,
        };
        reader.end()?;
        if !accepted {
            let known = [Denied::Key, Denied::SameName, Denied::User];
            let named = known
                .into_iter()
                .find(|denied| denied.to_string().as_bytes() == reason);
            return Err(named.unwrap_or(Denied::Refused));
        }
        if pong.hostname == hostname {
            return Err(Denied::SameName);
        }
        let expected = digest([salt, pong.hostname, helo.nonce, &secrets.key]);
        match same(pong.digest, &expected) {
            true => Ok(pong),
            false => Err(Denied::Key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(key: &str, users: &[(&str, &str)]) -> Secrets {
        let users = users.iter();
        Secrets {
            key: key.into(),
            users: users
                .map(|(user, password)| ((*user).into(), (*password).into()))
                .collect(),
        }
    }

    /// What both sides make of each other.
    fn meet(
        sender: (&str, &Secrets),
        receiver: (&str, &Secrets),
    ) -> (Result<(), Denied>, Result<String, Denied>) {
        let (auth, salt) = (b"fedcba9876543210", b"a salt of its own");
        let auth: &[u8] = if receiver.1.users.is_empty() {
            b""
        } else {
            auth
        };
        let (mut one, mut two, mut three) = (Vec::new(), Vec::new(), Vec::new());
        let helo = Helo {
            nonce: b"0123456789abcdef",
            auth,
            keepalive: true,
        };
        helo.write(&mut one);
        let heard = Helo::read(&one).unwrap();
        assert_eq!(heard, helo);
        Ping::write(&heard, sender.0.as_bytes(), salt, sender.1, &mut two);
        let ping = Ping::read(&two).unwrap();
        let verdict = ping.check(&helo, receiver.0.as_bytes(), receiver.1);
        Pong::write(
            verdict,
            &helo,
            &ping,
            receiver.0.as_bytes(),
            receiver.1,
            &mut three,
        );
        let pong = Pong::read(&three, &heard, sender.0.as_bytes(), salt, sender.1);
        let name = pong.map(|pong| String::from_utf8_lossy(pong.hostname).into_owned());
        (verdict, name)
    }

    #[test]
    fn who_knows_the_key_comes_in() {
        let (key, other) = (secrets("key", &[]), secrets("another", &[]));
        let known = secrets("key", &[("ann", "1"), ("bob", "2")]);
        let bob = secrets("key", &[("bob", "2")]);
        let fake = secrets("key", &[("bob", "1")]);
        for (sender, receiver, expected) in [
            (("a", &key), ("b", &key), Ok(())),
            (("a", &bob), ("b", &key), Ok(())),
            (("a", &bob), ("b", &known), Ok(())),
            (("a", &key), ("b", &other), Err(Denied::Key)),
            (("a", &key), ("a", &key), Err(Denied::SameName)),
            (("a", &fake), ("b", &known), Err(Denied::User)),
            (("a", &key), ("b", &known), Err(Denied::User)),
        ] {
            let (verdict, name) = meet(sender, receiver);
            assert_eq!(verdict, expected);
            assert_eq!(name, expected.map(|()| receiver.0.to_owned()));
        }
    }

    /// A receiver without the key says yes, or is the sender itself.
    #[test]
    fn a_receiver_must_know_the_key() {
        let (key, other) = (secrets("key", &[]), secrets("another", &[]));
        let helo = Helo {
            nonce: b"n",
            auth: b"",
            keepalive: true,
        };
        let (mut ping, mut pong) = (Vec::new(), Vec::new());
        Ping::write(&helo, b"a", b"salt", &key, &mut ping);
        let ping = Ping::read(&ping).unwrap();
        Pong::write(Ok(()), &helo, &ping, b"b", &other, &mut pong);
        let answer = Pong::read(&pong, &helo, b"a", b"salt", &key);
        assert_eq!(answer, Err(Denied::Key));
        // What the sender has proved, sent back.
        let mut echo = Vec::new();
        begin("PONG", 5, &mut echo);
        rmp::encode::write_bool(&mut echo, true).unwrap();
        [&b""[..], b"a", ping.digest]
            .iter()
            .for_each(|text| write_text(text, &mut echo));
        let answer = Pong::read(&echo, &helo, b"a", b"salt", &key);
        assert_eq!(answer, Err(Denied::SameName));
    }

    /// The digest of the protocol's text, by another program: `printf 'saltanoncekey' | sha512sum`.
    #[test]
    fn digests_are_those_of_sha512() {
        let found = digest([b"salt", b"a", b"nonce", b"key"]);
        assert!(
            found.starts_with("e70ff7269b2ebc8fd4c13a230851908e"),
            "{found}"
        );
        assert_eq!(found.len(), 128);
    }

    #[test]
    fn other_messages_are_no_handshake() {
        for bytes in [
            &b"\xC0"[..],
            b"\x92\xA4HELO",
            b"\x91\xA4HELO",
            b"\x92\xA4HELP\x80",
        ] {
            assert!(Helo::read(bytes).is_err());
            assert!(Ping::read(bytes).is_err());
        }
    }
}
