//! Delivery over real sockets on loopback, with a small store that knows lanes only.
