//! A stand-in 8x8 Chat Gateway, as a real HTTP server.
