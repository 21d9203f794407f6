//! What `demo` plays: a small bot, a customer who asks for a human, and the screen on which both are seen.
//! It knows the gateway only as a bot developer does, by its HTTP interface.

mod bot;
mod screen;
mod story;

pub use bot::Bot;
pub use bot::Connection;
pub use screen::Screen;
pub use story::play;
pub use story::show;
