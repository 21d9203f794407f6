//! A file on its way to 8x8, piece by piece: never whole in memory, and never complete by accident.

use std::io;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::mpsc;

/// Pieces that may wait for 8x8.
const PIECES: usize = 4;

/// Takes the pieces. Dropped before [`FileSender::end`], the call breaks off and 8x8 does not have the file.
#[derive(Debug)]
pub struct FileSender(mpsc::Sender<Piece>);

/// The other end, read by the call to 8x8.
#[derive(Debug)]
pub struct FileBody(mpsc::Receiver<Piece>);

/// The call to 8x8 is over already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads the file any more")]
pub struct NobodyReads;

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End,
}

pub fn file_pipe() -> (FileSender, FileBody) {
    let (sender, receiver) = mpsc::channel(PIECES);
    (FileSender(sender), FileBody(receiver))
}

impl FileSender {
    /// Waits until there is room.
    pub async fn send(&self, bytes: Bytes) -> Result<(), NobodyReads> {
        self.0.send(Piece::Bytes(bytes)).await.map_err(|_closed| NobodyReads)
    }

    /// The file is whole: from here on 8x8 may have it.
    pub async fn end(self) -> Result<(), NobodyReads> {
        self.0.send(Piece::End).await.map_err(|_closed| NobodyReads)
    }
}

impl FileBody {
    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream::unfold(Some(self.0), async |receiver| {
            let mut receiver = receiver?;
            match receiver.recv().await {
                Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(receiver))),
                Some(Piece::End) => None,
                None => {
                    let broken = io::Error::new(io::ErrorKind::UnexpectedEof, "the file broke off");
                    Some((Err(broken), None))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn a_file_that_was_not_ended_breaks_off_and_one_that_was_does_not() {
        let (sender, body) = file_pipe();
        sender.send(Bytes::from_static(b"ab")).await.unwrap();
        drop(sender);
        let pieces: Vec<_> = body.into_stream().collect().await;
        assert!(pieces[0].is_ok() && pieces[1].is_err() && pieces.len() == 2);
        let (sender, body) = file_pipe();
        sender.send(Bytes::from_static(b"ab")).await.unwrap();
        sender.end().await.unwrap();
        let pieces: Vec<_> = body.into_stream().collect().await;
        assert!(pieces.len() == 1 && pieces[0].is_ok());
    }

    #[tokio::test]
    async fn only_a_few_pieces_wait_and_a_call_that_is_over_is_noticed() {
        use futures_util::FutureExt as _;

        let (sender, body) = file_pipe();
        let piece = || Bytes::from_static(b"x");
        for _ in 0..PIECES {
            sender.send(piece()).await.unwrap();
        }
        assert!(sender.send(piece()).now_or_never().is_none());
        drop(body);
        assert_eq!(sender.send(piece()).await, Err(NobodyReads));
    }
}
