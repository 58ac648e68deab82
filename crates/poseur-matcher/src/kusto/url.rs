//! Parts of URLs and of file paths.

use super::json::Json;

fn map(members: Vec<(&str, Json)>) -> Json {
    let owned = members.into_iter();
    Json::Map(owned.map(|(key, value)| (key.to_owned(), value)).collect())
}

/// `url_decode(a)`
pub fn decode(text: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(text);
    decoded.decode_utf8_lossy().into_owned()
}

/// `parse_url(a)`
pub fn parse_url(text: &str) -> Json {
    let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (before, query) = before.split_once('?').unwrap_or((before, ""));
    let (scheme, rest) = before.split_once("://").unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    // The colons of an IPv6 address stand in brackets.
    let port = place
        .rfind(':')
        .filter(|colon| !place[*colon..].contains(']'));
    let (host, port) = match port {
        Some(colon) => (&place[..colon], &place[colon + 1..]),
        None => (place, ""),
    };
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    let parameters = parameters.map(|parameter| {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (key.to_owned(), value.into())
    });
    map(vec![
        ("Scheme", scheme.into()),
        ("Host", host.into()),
        ("Port", port.into()),
        ("Path", path.into()),
        ("Username", user.into()),
        ("Password", password.into()),
        ("Query Parameters", Json::Map(parameters.collect())),
        ("Fragment", fragment.into()),
    ])
}

/// `parse_path(a)`
pub fn parse_path(text: &str) -> Json {
    let (scheme, path) = match text.split_once("://") {
        // `file:///C:/…` has an empty host.
        Some((scheme, path)) => (scheme, path.strip_prefix('/').unwrap_or(path)),
        None => ("", text),
    };
    let root = match path.as_bytes() {
        [letter, b':', ..] if letter.is_ascii_alphabetic() => &path[..2],
        _ => "",
    };
    let (directory, file) = match path.rfind(['/', '\\']) {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => ("", path),
    };
    let (file, stream) = file.split_once(':').unwrap_or((file, ""));
    let name = directory.rsplit(['/', '\\']).next().unwrap_or_default();
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    map(vec![
        ("Scheme", scheme.into()),
        ("RootPath", root.into()),
        ("DirectoryPath", directory.into()),
        ("DirectoryName", name.into()),
        ("Filename", file.into()),
        ("Extension", extension.into()),
        ("AlternateDataStreamName", stream.into()),
    ])
}
