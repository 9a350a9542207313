"""``make demo``: fills a service and walks through what it can do."""
