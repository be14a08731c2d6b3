//! A participant without a browser: signaling and media, sans-IO.
