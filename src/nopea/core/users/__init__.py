"""Which user changed an object: what the API server says of each write, compared with what is live."""
