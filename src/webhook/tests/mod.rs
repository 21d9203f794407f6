//! The verifier against signatures made elsewhere, and the decoder against every event 8x8 describes.

mod dialects;
mod events;
mod fuzz;
mod signatures;
