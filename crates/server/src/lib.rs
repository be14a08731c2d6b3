//! The IO shell: sockets, HTTP, WebSocket, TLS, configuration, metrics.
