//! What each path answers.

use std::convert::Infallible;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use sha2::{Digest, Sha256};

use super::live::Live;
use crate::telemetry::{Telemetry, metrics};

/// The live page: one file, with nothing from elsewhere.
const PAGE: &str = include_str!("page.html");

const TEXT: &str = "text/plain; charset=utf-8";

type Body = BoxBody<Bytes, Infallible>;

/// Answers requests.
#[derive(Debug)]
pub(super) struct Desk {
    telemetry: Arc<Telemetry>,
    live: Live,
    /// Requests for names that are not ours are refused.
    is_loopback: bool,
    policy: HeaderValue,
}

impl Desk {
    pub(super) fn new(telemetry: Arc<Telemetry>, live: Live, is_loopback: bool) -> Desk {
        let policy = HeaderValue::try_from(policy());
        Desk {
            telemetry,
            live,
            is_loopback,
            policy: policy.expect("the policy is of ASCII characters"),
        }
    }

    pub(super) fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        let mut response = self.route(request);
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        for (name, value) in [
            (CACHE_CONTROL, "no-store"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            (
                HeaderName::from_static("cross-origin-resource-policy"),
                "same-origin",
            ),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    fn route<B>(&self, request: &Request<B>) -> Response<Body> {
        if self.is_loopback && !is_our_name(request) {
            // A page from elsewhere whose name was made to lead here could otherwise read everything.
            return plain(
                StatusCode::MISDIRECTED_REQUEST,
                "ask for localhost, or for the address itself\n",
            );
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
            return response;
        }
        match request.uri().path() {
            "/" => answer(StatusCode::OK, "text/html; charset=utf-8", PAGE),
            "/healthz" => plain(StatusCode::OK, "ok\n"),
            "/readyz" => match self.telemetry.not_ready().as_slice() {
                [] => plain(StatusCode::OK, "ok\n"),
                reasons => plain(
                    StatusCode::SERVICE_UNAVAILABLE,
                    reasons.join("\n").replace('\r', " ") + "\n",
                ),
            },
            "/metrics" => answer(
                StatusCode::OK,
                metrics::CONTENT_TYPE,
                metrics::text(&self.telemetry),
            ),
            "/events" => match request.method() == Method::HEAD {
                true => answer(StatusCode::OK, "text/event-stream", ""),
                false => self.events(request),
            },
            _ => plain(StatusCode::NOT_FOUND, "there is nothing here\n"),
        }
    }

    fn events<B>(&self, request: &Request<B>) -> Response<Body> {
        // A browser says where it was; a page that connects anew has to say so itself.
        let last = request.headers().get("last-event-id");
        let last = last.and_then(|last| last.to_str().ok());
        let after = request.uri().query();
        let last = last.or(after.and_then(|query| query.strip_prefix("after=")));
        match self.live.watch(last) {
            Some(events) => {
                let mut response = Response::new(events.boxed());
                let kind = HeaderValue::from_static("text/event-stream");
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
            None => plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many are watching: close a page\n",
            ),
        }
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    answer(status, TEXT, text)
}

fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).boxed());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Whether the request is for an address or for `localhost`, and for no name that somebody else has made to lead
/// here.
fn is_our_name<B>(request: &Request<B>) -> bool {
    let Some(host) = request.headers().get(HOST) else {
        // Only HTTP/1.0 may leave it out, and no browser does.
        return true;
    };
    let Some(authority) = host.to_str().ok().and_then(|host| host.parse().ok()) else {
        return false;
    };
    let authority: hyper::http::uri::Authority = authority;
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let name = name.to_ascii_lowercase();
    address.parse::<std::net::IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
}

/// Lets the page run its own script and style, talk to us, and nothing else.
fn policy() -> String {
    let hash = |tag| {
        let hash = STANDARD.encode(Sha256::digest(inside(tag)));
        format!("'sha256-{hash}'")
    };
    format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    )
}

/// What is inside the page's only element of this name.
fn inside(tag: &str) -> &'static str {
    let begin = PAGE.split_once(&format!("<{tag}>"));
    let inside = begin.and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
    inside.map_or("", |(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_one_file_with_one_script_and_one_style() {
        for tag in ["script", "style"] {
            assert_eq!(PAGE.matches(&format!("<{tag}")).count(), 1, "{tag}");
            assert!(inside(tag).len() > 500, "{tag}");
        }
        // Nothing that would take a text for HTML, and nothing that the policy would stop.
        for never in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "http:",
            "https:",
            " style=",
            " onclick=",
            "setAttribute(\"style\"",
        ] {
            assert!(!PAGE.contains(never), "{never}");
        }
    }

    #[test]
    fn only_our_own_names_are_answered() {
        for (host, is_ours) in [
            ("127.0.0.1:9765", true),
            ("[::1]:9765", true),
            ("localhost", true),
            ("LOCALHOST:1", true),
            ("poseur.localhost:1", true),
            ("evil.example", false),
            ("127.0.0.1.evil.example:9765", false),
            ("localhost.evil.example", false),
            ("localhost@evil.example", false),
            ("", false),
        ] {
            let request = Request::builder().header(HOST, host).body(()).unwrap();
            assert_eq!(is_our_name(&request), is_ours, "{host}");
        }
        assert!(is_our_name(&Request::new(())));
    }
}
