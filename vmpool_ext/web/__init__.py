"""HTTP and WebSocket: what comes in is checked and handed to the broker, what comes out is written as `docs/api.md` says."""
