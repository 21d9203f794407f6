//! What a call leaves in the log.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;

use tracing::Level;

use crate::http::tests::fixture::Gateway;

/// All that was written, shared with whoever writes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_language_that_is_left_out_is_warned_of_without_its_user() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::WARN)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let gateway = Gateway::start().await;
    let _scope = tracing::subscriber::set_default(subscriber);
    let body = r#"{"user":{"name":"James","language":"fi"}}"#;
    assert_eq!(gateway.call("POST", "/v1/handovers", body).await.status, 201);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("WARN") && text.contains("the user's language"), "{text}");
    assert!(!text.contains("James"), "{text}");
}
