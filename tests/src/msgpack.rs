//! JSON records as MessagePack, and back.

use poseur_matcher::record::{Handle, Record};
use poseur_tagger::json::document::{Document, Pool};
use poseur_tagger::json::index::Index;
use poseur_tagger::msgpack::document::Map;
use poseur_tagger::msgpack::encode::encode;

/// What stands before a record in an event: its time as Fluent Bit and as Fluentd write it.
pub const TIMES: [&[u8]; 2] = [
    b"\x92\x92\xD7\x00\x65\x00\x00\x00\x00\x00\x00\x01\x80",
    b"\x92\xD7\x00\x65\x00\x00\x00\x00\x00\x00\x01",
];

/// A JSON object as MessagePack; `None` if it is not readable, or no object.
pub fn packed(json: &[u8]) -> Option<Vec<u8>> {
    let (mut index, pool) = (Index::default(), Pool::default());
    let document = Document::new(json, &mut index, &pool).ok()?;
    document.check().ok()?;
    let mut out = Vec::new();
    let is_object = json[document.root().start] == b'{';
    encode(&document, document.root(), &mut out).ok()?;
    is_object.then_some(out)
}

/// The same record as JSON again: numbers may be spelled in another way then.
///
/// # Panics
/// If it is no record.
pub fn unpacked(map: &[u8]) -> Vec<u8> {
    let (mut out, pool) = (Vec::new(), Pool::default());
    let (start, end) = (0, map.len());
    let root = Handle { start, end };
    let map = Map::new(map, root, &pool).expect("a map");
    map.check().expect("a readable map");
    map.write_json(root, &mut out);
    out
}
