"""OKX: spot in cash mode, over the REST and websocket API v5."""
