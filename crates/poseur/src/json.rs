//! JSON for programs, written key by key in an order that stays.

use poseur_matcher::json::string;

/// An object that is being written.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    any: bool,
}

/// Appends an object whose members `members` writes.
pub fn object(out: &mut Vec<u8>, members: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    let mut object = Object { out, any: false };
    members(&mut object);
    out.push(b'}');
}

/// Appends an array with an element for each item.
pub fn array<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut element: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        element(out, item);
    }
    out.push(b']');
}

/// Appends an array of texts.
pub fn texts<T: AsRef<[u8]>>(out: &mut Vec<u8>, items: impl IntoIterator<Item = T>) {
    array(out, items, |out, item| string(item.as_ref(), out));
}

impl Object<'_> {
    /// A member whose value the caller appends.
    pub fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if self.any {
            self.out.push(b',');
        }
        self.any = true;
        string(name.as_bytes(), self.out);
        self.out.push(b':');
        self.out
    }

    /// A text.
    pub fn text(&mut self, name: &str, value: impl AsRef<[u8]>) {
        string(value.as_ref(), self.key(name));
    }

    /// A text, or null.
    pub fn maybe(&mut self, name: &str, value: Option<impl AsRef<[u8]>>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// A whole number.
    pub fn number(&mut self, name: &str, value: u64) {
        self.raw(name, &value.to_string());
    }

    /// A truth value.
    pub fn truth(&mut self, name: &str, value: bool) {
        self.raw(name, if value { "true" } else { "false" });
    }

    /// JSON as it is.
    pub fn raw(&mut self, name: &str, json: &str) {
        self.key(name).extend_from_slice(json.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_order() {
        let mut out = Vec::new();
        object(&mut out, |o| {
            o.text("a\"", "x\n");
            o.maybe("b", None::<&str>);
            o.number("c", 7);
            o.truth("d", true);
            texts(o.key("e"), ["1", "2"]);
            array(o.key("f"), [(), ()], |out, ()| object(out, |_| {}));
        });
        let wanted = r#"{"a\"":"x\n","b":null,"c":7,"d":true,"e":["1","2"],"f":[{},{}]}"#;
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }
}
