//! Prints the conversation as it happens: when, who, what, and which call or callback carried it.

use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

#[derive(Clone)]
pub struct Screen(Arc<Mutex<Box<dyn Write + Send>>>, Instant);

impl Screen {
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new(out)), Instant::now())
    }

    /// One step of the conversation.
    pub fn step(&self, who: &str, what: &str, carried_by: &str) {
        let at = self.1.elapsed().as_secs_f32();
        self.line(&format!("{at:6.1}s  {who:<12} {what}"));
        if !carried_by.is_empty() {
            self.line(&format!("{:21}└ {carried_by}", ""));
        }
    }

    pub fn line(&self, text: &str) {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A terminal that is gone is no reason to stop the demo.
        drop(writeln!(out, "{text}").and_then(|()| out.flush()));
    }
}
