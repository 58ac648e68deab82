//! gRPC with one message in and one message out, over hyper's HTTP/2: as much of it as Vector's protocol needs.
//!
//! Messages stay bytes, and who reads one learns its size first, so that it can wait for room. A general gRPC library
//! takes a whole message into memory before anybody is asked, and copies it.
//!
//! The protocol: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};

use bytes::buf::Chain;
use bytes::{Buf, Bytes};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

use crate::compression::Compression;
use crate::pieces::{self, Pieces};

/// The type of requests and responses; requests may say more after it, such as `+proto`.
pub const CONTENT: &str = "application/grpc";
/// How a request's message is packed, if its head says that it is.
pub const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// What a server can unpack.
pub const ACCEPTED: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What a message of a status must not have in a header.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');
/// Characters of a status's message: what is longer does not fit into the headers that clients take.
const TOLD: usize = 500;

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are gRPC's own")]
pub enum Code {
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

impl Code {
    /// By their numbers.
    const ALL: [Code; 17] = [
        Code::Ok,
        Code::Cancelled,
        Code::Unknown,
        Code::InvalidArgument,
        Code::DeadlineExceeded,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
        Code::Unauthenticated,
    ];
}

/// What became of a call, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What.
    pub code: Code,
    /// Why; empty if there is nothing to say.
    pub message: String,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)
    }
}

impl Status {
    /// From its parts.
    pub fn new(code: Code, message: impl Into<String>) -> Status {
        let message = message.into();
        Status { code, message }
    }

    /// From the trailers of a response, or from its headers if it has nothing but those. `None` if they say nothing.
    pub fn read(headers: &HeaderMap) -> Option<Status> {
        let number = headers.get(STATUS)?.to_str().ok()?.parse::<usize>().ok();
        let code = number.and_then(|number| Code::ALL.get(number).copied());
        let message = headers.get(MESSAGE).map_or(Default::default(), |message| {
            percent_decode(message.as_bytes()).decode_utf8_lossy()
        });
        Some(Status::new(code.unwrap_or(Code::Unknown), message))
    }

    fn trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert(STATUS, HeaderValue::from(self.code as u16));
        let told: String = self.message.chars().take(TOLD).collect();
        let told = utf8_percent_encode(&told, ESCAPED).to_string();
        // It is ASCII without control characters now.
        if let (false, Ok(told)) = (told.is_empty(), HeaderValue::try_from(told)) {
            trailers.insert(MESSAGE, told);
        }
        trailers
    }
}

/// What stands before a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The message is packed as the request's headers say.
    pub is_packed: bool,
    /// Its bytes as they come.
    pub size: usize,
}

impl Head {
    const SIZE: usize = 5;

    fn read(bytes: [u8; Head::SIZE]) -> Result<Head, Status> {
        let [flag @ (0 | 1), size @ ..] = bytes else {
            let told = format!("a message begins with {}, not with 0 or 1", bytes[0]);
            return Err(Status::new(Code::InvalidArgument, told));
        };
        Ok(Head {
            is_packed: flag == 1,
            size: u32::from_be_bytes(size) as usize,
        })
    }
}

/// A body of one message.
pub type Message = Full<Chain<Bytes, pieces::Reader>>;

/// A body of one message, which is packed already if `is_packed`. `None` if it is larger than a message can be, 4 GiB.
pub fn message(message: &Pieces, is_packed: bool) -> Option<Message> {
    let [a, b, c, d] = u32::try_from(message.len()).ok()?.to_be_bytes();
    let head = Bytes::copy_from_slice(&[u8::from(is_packed), a, b, c, d]);
    Some(Full::new(head.chain(message.reader())))
}

/// Reads a body of one message: first its [`Head`], then itself.
#[derive(Debug)]
pub struct Reader<B> {
    body: B,
    /// What came, and was not yet looked at.
    ahead: Bytes,
}

impl<B> Reader<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: fmt::Display,
{
    /// For a body.
    pub fn new(body: B) -> Reader<B> {
        let ahead = Bytes::new();
        Reader { body, ahead }
    }

    /// Waits until something is ahead; `false` if nothing more comes.
    async fn fill(&mut self) -> Result<bool, Status> {
        while self.ahead.is_empty() {
            match self.body.frame().await {
                None => return Ok(false),
                Some(Ok(frame)) => self.ahead = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Err(broke_off(&error)),
            }
        }
        Ok(true)
    }

    /// How the message comes, and its size.
    ///
    /// # Errors
    /// If there is none, or it does not begin like one.
    pub async fn head(&mut self) -> Result<Head, Status> {
        let mut head = [0; Head::SIZE];
        let mut rest = &mut head[..];
        while !rest.is_empty() {
            if !self.fill().await? {
                return Err(broke_off(&"there is no message"));
            }
            let part = self.ahead.split_to(rest.len().min(self.ahead.len()));
            rest[..part.len()].copy_from_slice(&part);
            rest = &mut rest[part.len()..];
        }
        Head::read(head)
    }

    /// The message, and that nothing comes after it.
    ///
    /// # Errors
    /// If it breaks off, or is not the last.
    pub async fn message(mut self, head: Head) -> Result<Bytes, Status> {
        let mut message = Vec::with_capacity(head.size);
        while message.len() < head.size {
            if !self.fill().await? {
                return Err(broke_off(&"the message has an end too early"));
            }
            let left = head.size - message.len();
            message.extend_from_slice(&self.ahead.split_to(left.min(self.ahead.len())));
        }
        match self.fill().await? {
            false => Ok(Bytes::from(message)),
            true => Err(Status::new(
                Code::InvalidArgument,
                "one message was expected, and there are more",
            )),
        }
    }
}

/// The sender may have more luck another time.
fn broke_off(reason: &dyn fmt::Display) -> Status {
    let told = format!("the request broke off: {reason}");
    Status::new(Code::Unavailable, told)
}

/// How the message of a request is packed, if it is.
///
/// # Errors
/// If it is not known here.
pub fn compression(headers: &HeaderMap) -> Result<Compression, Status> {
    let Some(name) = headers.get(ENCODING) else {
        return Ok(Compression::None);
    };
    match name.as_bytes() {
        b"identity" => Ok(Compression::None),
        b"gzip" => Ok(Compression::Gzip),
        b"zstd" => Ok(Compression::Zstd),
        other => {
            let name = String::from_utf8_lossy(other);
            let told =
                format!("the compression `{name}` is not known: send gzip, zstd or identity");
            Err(Status::new(Code::Unimplemented, told))
        }
    }
}

/// The body of an answer. Its status is always in the trailers.
pub type Answer = WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>;

/// An answer: a message that is not packed and shorter than 128 bytes, or why there is none.
pub fn answer(outcome: Result<&[u8], Status>) -> Response<Answer> {
    let (body, status) = match outcome {
        Ok(message) => {
            let head = [0, 0, 0, 0, message.len() as u8];
            let body = Bytes::from([&head, message].concat());
            (body, Status::new(Code::Ok, ""))
        }
        Err(status) => (Bytes::new(), status),
    };
    let trailers = ready(Some(Ok(status.trailers())));
    let mut response = Response::new(Full::new(body).with_trailers(trailers));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
    let accepted = HeaderValue::from_static("identity,gzip,zstd");
    headers.insert(ACCEPTED, accepted);
    response
}

/// The answer to what is no gRPC.
pub fn no_grpc() -> Response<Answer> {
    let body = Full::new(Bytes::new()).with_trailers(ready(None));
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    /// A body that comes in these parts; an empty one is where it breaks off.
    struct Parts(VecDeque<&'static [u8]>);

    impl Body for Parts {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(|part| match part {
                b"" => Err("reset"),
                part => Ok(Frame::data(Bytes::from_static(part))),
            }))
        }
    }

    async fn read(parts: &[&'static [u8]]) -> Result<(bool, Bytes), Status> {
        let mut reader = Reader::new(Parts(parts.iter().copied().collect()));
        let head = reader.head().await?;
        Ok((head.is_packed, reader.message(head).await?))
    }

    #[tokio::test]
    async fn a_message_is_read_however_it_comes() {
        for (parts, packed, message) in [
            (&[b"\0\0\0\0\x03abc".as_slice()][..], false, "abc"),
            (&[b"\x01\0", b"\0\0", b"\x03a", b"b", b"c"], true, "abc"),
            (&[b"\0\0\0\0\0"], false, ""),
        ] {
            assert_eq!(read(parts).await, Ok((packed, Bytes::from(message))));
        }
        for (parts, code) in [
            (&[][..], Code::Unavailable),
            (&[b"\0\0\0".as_slice()], Code::Unavailable),
            (&[b"\0\0\0\0\x03ab"], Code::Unavailable),
            (&[b"\0\0\0\0\x03ab", b""], Code::Unavailable),
            (&[b"\0\0\0\0\x03abc", b""], Code::Unavailable),
            (&[b"\x02\0\0\0\0"], Code::InvalidArgument),
            (&[b"\0\0\0\0\x01a\0\0\0\0\0"], Code::InvalidArgument),
            (&[b"\0\0\0\0\x01a", b"b"], Code::InvalidArgument),
        ] {
            assert_eq!(read(parts).await.unwrap_err().code, code, "{parts:?}");
        }
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        for packed in [false, true] {
            let body = message(&Bytes::from_static(b"abc").into(), packed).unwrap();
            let all = body.collect().await.unwrap().to_bytes();
            assert_eq!(all[..], [u8::from(packed), 0, 0, 0, 3, b'a', b'b', b'c']);
        }
    }

    #[test]
    fn a_status_comes_back() {
        for (number, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, number);
            for message in ["", "100 % of it\r\nfailed", "größer als 3 €", "%41"] {
                let status = Status::new(code, message);
                assert_eq!(Status::read(&status.trailers()), Some(status));
            }
        }
        let long = Status::new(Code::Internal, "€".repeat(10_000));
        let trailers = long.trailers();
        assert!(trailers[MESSAGE].len() < 8000);
        assert_eq!(Status::read(&trailers).unwrap().message, "€".repeat(TOLD));
        assert_eq!(Status::read(&HeaderMap::new()), None);
    }

    #[test]
    fn a_strange_status_is_read() {
        for (status, message, code, told) in [
            ("17", "", Code::Unknown, ""),
            ("-1", "", Code::Unknown, ""),
            ("", "%", Code::Unknown, "%"),
            ("14", "%FF%zz", Code::Unavailable, "\u{FFFD}%zz"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(STATUS, HeaderValue::from_static(status));
            headers.insert(MESSAGE, HeaderValue::from_static(message));
            // What is not understood must not take the others with it.
            let details = HeaderName::from_static("grpc-status-details-bin");
            headers.insert(details, HeaderValue::from_static("no base64!"));
            assert_eq!(Status::read(&headers), Some(Status::new(code, told)));
        }
    }
}
