//! Bodies of HTTP requests as lines, on any bytes.

use std::borrow::Cow;

use poseur_relay::convert::in_lines;
use serde_json::Value;

/// A body that another parser takes for one array or object is one line, and the same value; one of which each line
/// is a value stays as it is; and nothing but white space is changed.
///
/// # Panics
/// If it is not so.
pub fn http_body(data: &[u8]) {
    let lines = in_lines(data);
    let whole: Option<Value> = serde_json::from_slice(data).ok();
    if let Some(whole) = whole.filter(|whole| whole.is_array() || whole.is_object()) {
        let line = lines.trim_ascii();
        assert!(!line.contains(&b'\n'), "one value goes over several lines");
        assert_eq!(serde_json::from_slice::<Value>(line).ok(), Some(whole));
    }
    let is_value = |line: &&[u8]| serde_json::from_slice::<Value>(line).is_ok();
    let all = data.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let all: Vec<&[u8]> = all.filter(|line| !line.is_empty()).collect();
    if all.len() > 1 && all.iter().all(is_value) {
        assert!(matches!(lines, Cow::Borrowed(_)), "lines were joined");
    }
    let plain = |bytes: &[u8]| -> Vec<u8> {
        let bytes = bytes.iter().copied();
        bytes.filter(|byte| !byte.is_ascii_whitespace()).collect()
    };
    assert_eq!(plain(&lines), plain(data), "more than white space");
}
