"""What touches the outside on the client's side: clocks, waiting, HTTP and WebSocket."""
