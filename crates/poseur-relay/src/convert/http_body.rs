//! Bodies of HTTP requests as lines.

use std::borrow::Cow;

/// A body that is one JSON value, over several lines or not, in one line; NDJSON as it is. Line feeds can only stand
/// between values there, so that nothing but white space changes.
pub fn in_lines(body: &[u8]) -> Cow<'_, [u8]> {
    let text = body.trim_ascii();
    let several = text.contains(&b'\n');
    if !several || !is_one_value(text) {
        return Cow::Borrowed(body);
    }
    let spaced = text.iter().map(|byte| match byte {
        b'\n' | b'\r' => b' ',
        other => *other,
    });
    Cow::Owned(spaced.collect())
}

/// Whether all of a text is one array or object.
fn is_one_value(text: &[u8]) -> bool {
    if !matches!(text.first(), Some(b'[' | b'{')) {
        return false;
    }
    let (mut depth, mut inside, mut escaped) = (0_usize, false, false);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            // No string goes over several lines: this is a bad line of several.
            b'\n' if inside => return false,
            _ if inside => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1 == text.len();
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_one_line() {
        for (body, expected) in [
            ("{\"a\":1}\n{\"b\":2}\n", None),
            ("[{\"a\":1},{\"b\":2}]", None),
            (
                "[\n  {\"a\":1},\r\n  {\"b\":2}\n]\n",
                Some("[   {\"a\":1},    {\"b\":2} ]"),
            ),
            ("{\n\"a\":\"}\"\n}", Some("{ \"a\":\"}\" }")),
            ("[1]\n[2]", None),
            ("{\"a\":\"\n\"}", None),
            ("{\"a\":1\n", None),
            ("x\ny", None),
            ("", None),
        ] {
            let lines = in_lines(body.as_bytes());
            assert_eq!(String::from_utf8_lossy(&lines), expected.unwrap_or(body));
        }
    }
}
