"""From a request to a ruling and to the order it allows: request, account, price, gate, size."""
