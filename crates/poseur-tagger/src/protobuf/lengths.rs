//! The lengths of all messages around what was spliced into an event.

use super::message::{Holds, Message};
use super::wire::{Field, Value, fields, varint, varint_len, write_varint};
use crate::splice::{Edit, Edits};

/// Writes the lengths in events anew. Each event comes with the number of its first edit; edits are such as a
/// [`Log`](super::document::Log) makes them, and in the order of their places after that.
pub fn settle(bytes: &[u8], events: &[(Field, usize)], edits: &mut Edits) {
    let all = std::mem::take(&mut edits.list);
    for (number, (event, first)) in events.iter().enumerate() {
        let next = events
            .get(number + 1)
            .map_or(all.len(), |(_, first)| *first);
        let own = &all[*first..next];
        let mut marks: Vec<Edit> = own.to_vec();
        marks.retain(|edit| !edit.replaced.is_empty());
        marks.sort_by_key(|edit| edit.replaced.start);
        let mut lengths = Lengths {
            bytes,
            marks,
            found: Vec::new(),
            made: &mut edits.made,
        };
        lengths.growth(event, Some(Holds::Message(Message::Event)));
        let mut found = lengths.found;
        let rest = own.iter().filter(|edit| !is_length(edit, &edits.made));
        found.extend(rest.cloned());
        // Of insertions at one place, into containers that end there, those into the inner one came first.
        found.sort_by_key(|edit| edit.replaced.start);
        edits.list.append(&mut found);
    }
}

struct Lengths<'a> {
    bytes: &'a [u8],
    /// Edits that take something out, by place: lengths of containers that grow, and values with their lengths.
    marks: Vec<Edit>,
    found: Vec<Edit>,
    made: &'a mut Vec<u8>,
}

impl Lengths<'_> {
    /// By how many bytes a field grows, its length included.
    fn growth(&mut self, field: &Field, holds: Option<Holds>) -> isize {
        let (Value::Bytes(range), Some(Holds::Message(message))) = (&field.value, holds) else {
            return 0;
        };
        let place = |mark: &Edit| mark.replaced.start;
        let first = self.marks.partition_point(|mark| place(mark) < field.head);
        let marks = self.marks[first..].iter();
        let mut here = marks
            .take_while(|mark| place(mark) < field.range.end)
            .peekable();
        if here.peek().is_none() {
            return 0;
        }
        let mut growth = 0;
        for mark in here.take_while(|mark| place(mark) == field.head) {
            if !is_length(mark, self.made) {
                return mark.made.len() as isize - mark.replaced.len() as isize;
            }
            let length = varint(self.made, mark.made.start).map_or(0, |(length, _)| length);
            growth += length as isize - range.len() as isize;
        }
        for field in fields(self.bytes, range.clone()).map_while(Result::ok) {
            let holds = message.holds(field.number);
            growth += self.growth(&field, holds);
        }
        let length = (range.len() as isize + growth) as u64;
        let start = self.made.len();
        write_varint(length, self.made);
        self.found.push(Edit {
            replaced: field.head..range.start,
            made: start..self.made.len(),
        });
        growth + varint_len(length) as isize - (range.start - field.head) as isize
    }
}

/// Whether an edit is a length by itself: a value comes with what it is the length of.
fn is_length(edit: &Edit, made: &[u8]) -> bool {
    let end = varint(&made[..edit.made.end], edit.made.start);
    !edit.replaced.is_empty() && end.is_ok_and(|(_, end)| end == edit.made.end)
}
