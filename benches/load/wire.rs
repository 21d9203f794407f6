//! One keep-alive connection that posts requests rendered beforehand. Reads what this program's servers answer and no more
//! of HTTP than that, since it shares the processors with what it measures.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    body_at: usize,
}

impl Connection {
    pub(crate) async fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(8 * 1024),
            body_at: 0,
        })
    }

    /// Sends a request and reads its answer to the end. The status.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = Head::read(&self.buffer)
                && self.buffer.len() >= head.length + head.body
            {
                self.body_at = head.length;
                return head.status();
            }
        }
    }

    /// The body of the last answer.
    pub(crate) fn body(&self) -> &[u8] {
        self.buffer.get(self.body_at..).unwrap_or_default()
    }
}

/// The head of a request or an answer.
pub(crate) struct Head<'a> {
    text: &'a str,
    /// With the empty line at its end.
    pub(crate) length: usize,
    /// The length of the body.
    pub(crate) body: usize,
}

impl<'a> Head<'a> {
    /// `None` while it is not complete.
    pub(crate) fn read(buffer: &'a [u8]) -> Option<Self> {
        let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let text = std::str::from_utf8(buffer.get(..end)?).ok()?;
        let mut head = Self {
            text,
            length: end + 4,
            body: 0,
        };
        head.body = head
            .field("content-length")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        Some(head)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&'a str> {
        self.text.split("\r\n").skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn status(&self) -> io::Result<u16> {
        let status = self.text.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// A whole request, ready to be sent as often as one likes.
pub(crate) fn request(method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n").into_bytes();
    for (name, value) in fields {
        for part in [name, ": ", value, "\r\n"] {
            request.extend_from_slice(part.as_bytes());
        }
    }
    if method != "GET" {
        request.extend_from_slice(
            format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()).as_bytes(),
        );
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    request
}
