//! Messages cut out of a stream.

use bytes::{Bytes, BytesMut};
use poseur_matcher::record::Unreadable;
use poseur_tagger::msgpack::head::Steps;
use tokio_util::codec::Decoder;

/// Cuts a stream into MessagePack values. Memory for what is to come is the caller's affair, who knows whether there
/// is any.
#[derive(Debug)]
pub struct Messages {
    steps: Steps,
    limit: usize,
}

/// Why a stream cannot be cut further. It cannot be picked up again after that.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A message is larger than is taken.
    #[error("a message is larger than {0} bytes: send smaller chunks, or raise the limit")]
    TooLarge(usize),
    /// What came is not MessagePack.
    #[error(
        "what came is no MessagePack: is this a sender of the Forward protocol, and without TLS?"
    )]
    NotMessagePack,
}

impl Messages {
    /// Messages of at most `limit` bytes each.
    pub fn new(limit: usize) -> Messages {
        let steps = Steps::from(0);
        Messages { steps, limit }
    }

    /// How large the message that has begun will be, but for its options. It is known once nothing else is left:
    /// early where the events are in one piece, at the end where they are not.
    pub fn coming(&self) -> Option<usize> {
        (self.steps.left() <= 1 && self.steps.place() > 0).then(|| self.steps.place())
    }
}

impl Decoder for Messages {
    type Item = Bytes;
    type Error = CutError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, CutError> {
        match self.steps.go(buffer) {
            Ok(end) if end > self.limit => Err(CutError::TooLarge(self.limit)),
            Ok(end) => {
                self.steps = Steps::from(0);
                Ok(Some(buffer.split_to(end).freeze()))
            }
            Err(Unreadable::Truncated) if self.steps.place().max(buffer.len()) > self.limit => {
                Err(CutError::TooLarge(self.limit))
            }
            Err(Unreadable::Truncated) => Ok(None),
            Err(_) => Err(CutError::NotMessagePack),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn messages_are_the_same_however_they_arrive(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..6),
            pieces in prop::collection::vec(1_usize..200, 1..30),
        ) {
            let messages: Vec<Vec<u8>> = messages.iter().map(|content| {
                let mut message = Vec::new();
                super::super::chunk::write_head(b"tag", content.len(), &mut message);
                message.extend_from_slice(content);
                message.push(0x80);
                message
            }).collect();
            let stream = messages.concat();
            let mut codec = Messages::new(400);
            let (mut buffer, mut found, mut rest) = (BytesMut::new(), Vec::new(), &stream[..]);
            for size in pieces.into_iter().cycle() {
                let (piece, tail) = rest.split_at(size.min(rest.len()));
                buffer.extend_from_slice(piece);
                while let Some(message) = codec.decode(&mut buffer).unwrap() {
                    found.push(message.to_vec());
                }
                rest = tail;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(found, messages);
            prop_assert!(buffer.is_empty());
        }
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_comes() {
        for start in [
            &b"\xC6\xFF\xFF\xFF\xFF"[..],
            b"\x92\xDB\x00\x10\x00\x00",
            b"\xC5\x03\xE6",
        ] {
            let mut codec = Messages::new(1000);
            let error = codec.decode(&mut BytesMut::from(start)).unwrap_err();
            assert!(matches!(error, CutError::TooLarge(1000)), "{start:x?}");
        }
        let mut codec = Messages::new(1000);
        let mut buffer = BytesMut::from(&b"\xC5\x03\xE5"[..]);
        assert!(codec.decode(&mut buffer).unwrap().is_none());
        // Small values without end.
        let mut codec = Messages::new(1000);
        let mut buffer = BytesMut::from(&[&b"\xDD\xFF\xFF\xFF\xFF"[..], &[0xC0; 996]].concat()[..]);
        let error = codec.decode(&mut buffer).unwrap_err();
        assert!(matches!(error, CutError::TooLarge(1000)));
        let mut codec = Messages::new(1000);
        let error = codec.decode(&mut BytesMut::from(&b"\xC1"[..])).unwrap_err();
        assert!(matches!(error, CutError::NotMessagePack));
    }
}
