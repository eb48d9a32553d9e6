"""The Kubernetes port: a thin client of our own over aiohttp. It acts; it decides nothing about manifests."""
