"""Live streams: threads and sockets around the engines, and what a person holds of them."""
