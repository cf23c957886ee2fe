//! An answer that can be made wrong before it is sent.

use super::Step;

/// One answer of HTTP, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `HTTP/1.1`.
    pub version: &'static str,
    /// `200 OK`.
    pub status: String,
    /// In the order in which they are sent; a name may stand twice.
    pub headers: Vec<(String, String)>,
    /// The body, whatever the headers say about it.
    pub body: Vec<u8>,
}

impl Answer {
    /// With this body, and with its length in the headers.
    #[must_use]
    pub fn new(status: &str, body: impl Into<Vec<u8>>) -> Self {
        let answer =
            Self { version: "HTTP/1.1", status: status.to_owned(), headers: Vec::new(), body: Vec::new() };
        answer.with("Connection", "close").body(body)
    }

    /// Another body, and its length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.with("Content-Length", &length)
    }

    /// One header in the place of all of this name.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// One more header, also where there is one of this name.
    #[must_use]
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// No header of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
        self
    }

    /// With one bit of the middle of the body turned; its length stays.
    #[must_use]
    pub fn flipped(mut self) -> Self {
        let middle = self.body.len() / 2;
        if let Some(byte) = self.body.get_mut(middle) {
            *byte ^= 1;
        }
        self
    }

    /// Status line and headers.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {}\r\n", self.version, self.status);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        [self.head(), self.body.clone()].concat()
    }

    /// Sent whole.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        vec![Step::Send(self.bytes())]
    }

    /// Sent up to the middle of the body.
    #[must_use]
    pub fn cut(&self) -> Vec<Step> {
        let middle = self.body.len() / 2;
        vec![Step::Send([self.head(), self.body[..middle].to_vec()].concat())]
    }

    /// The head, and then something else than the body.
    #[must_use]
    pub fn then(&self, step: Step) -> Vec<Step> {
        vec![Step::Send(self.head()), step]
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let (_, status) = lines.next()?.split_once(' ')?;
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        let answer =
            Self { version: "HTTP/1.1", status: status.to_owned(), headers, body: bytes[end + 4..].to_vec() };
        Some(answer.with("Connection", "close"))
    }
}
