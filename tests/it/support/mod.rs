//! What tests share.

pub(crate) mod model_store;
