//! The sandbox from outside, over HTTP: a caller of its API, a receiver of its webhook, and the control API.

mod bot_phase;
mod faults;
mod rig;
mod walk;
