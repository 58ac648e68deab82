//! What stands in lines of JSON.

use std::ops::ControlFlow;

use poseur_matcher::record::{Handle, Kind, Record};
use poseur_tagger::json::document::{Document, Pool};
use poseur_tagger::json::index::Index;

/// What is made into an event or a log of its own.
pub(super) enum Item<'a> {
    /// An object, and its text.
    Object(&'a Document<'a>, Handle, &'a [u8]),
    /// Something else, as it stands there.
    Text(&'a [u8]),
}

/// Visits what stands in lines, in order: a line that is an object; the elements of a line that is a list of objects, as
/// Vector's `http` sink and batches have them; any other line as it is. Blank lines hold nothing.
pub(super) fn each_item(lines: &[u8], mut visit: impl FnMut(Item<'_>)) {
    let (mut index, pool) = (Index::default(), Pool::default());
    for line in lines.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let document = Document::new(line, &mut index, &pool);
        let Ok(document) = document.and_then(|document| document.check().map(|()| document)) else {
            visit(Item::Text(line));
            continue;
        };
        let root = document.root();
        match document.kind(root) {
            Kind::Map => visit(object(&document, root, line)),
            Kind::List if is_of_objects(&document, root) => {
                let _ = document.elements(root, &mut |element| {
                    visit(object(&document, element, line));
                    ControlFlow::Continue(())
                });
            }
            _ => visit(Item::Text(line)),
        }
    }
}

fn object<'a>(document: &'a Document<'a>, object: Handle, line: &'a [u8]) -> Item<'a> {
    Item::Object(document, object, &line[object.start..object.end])
}

/// Whether there is at least one element, and each is an object.
fn is_of_objects(document: &Document<'_>, list: Handle) -> bool {
    let mut is_empty = true;
    let all = document.elements(list, &mut |element| {
        is_empty = false;
        match document.kind(element) {
            Kind::Map => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    });
    !is_empty && all.is_continue()
}
