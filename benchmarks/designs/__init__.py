"""Hosts that serve the same props on the same broker, each in another design, and the props that ours serves beside them."""
