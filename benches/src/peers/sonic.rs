//! sonic-rs: its tree and the plain code.

use sonic_rs::{JsonContainerTrait, JsonType, JsonValueMutTrait, JsonValueTrait, Value, json};

use super::plain::Plain;
use super::tree::{Task, Tree, Writes, contender};
use crate::contender::Contender;

/// sonic-rs's tree and plain code.
pub fn sonic(task: &Task, rule: fn(&mut Value) -> bool) -> Contender {
    let name = "sonic-rs, parse, write matches";
    contender(name, task, Writes::Matches, rule)
}

impl Tree for Value {
    fn parse(text: &[u8]) -> Option<Value> {
        sonic_rs::from_slice(text).ok()
    }

    fn text(&self, key: &str) -> Option<&str> {
        JsonValueTrait::get(self, key)?.as_str()
    }

    fn list(&mut self, key: &str) -> &mut [Value] {
        let list = self.get_mut(key).and_then(Value::as_array_mut);
        list.map(|list| list.as_mut_slice()).unwrap_or_default()
    }

    fn tag(&mut self, rule: &str) {
        if let Some(members) = self.as_object_mut() {
            members.insert("poseur", json!({"rules": [rule]}));
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let _ = sonic_rs::to_writer(out, self);
    }
}

impl Plain for Value {
    fn get(&self, key: &str) -> Option<&Value> {
        JsonValueTrait::get(self, key)
    }

    fn as_text(&self) -> Option<&str> {
        self.as_str()
    }

    fn as_truth(&self) -> Option<bool> {
        self.as_bool()
    }

    fn as_number(&self) -> Option<i64> {
        self.as_i64()
    }

    fn any_text(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        match self.get_type() {
            JsonType::String => self.as_str().is_some_and(test),
            JsonType::Array => {
                let mut items = self.as_array().into_iter().flatten();
                items.any(|item| item.any_text(test))
            }
            JsonType::Object => {
                let mut members = self.as_object().into_iter().flatten();
                members.any(|(_, value)| value.any_text(test))
            }
            _ => false,
        }
    }
}
