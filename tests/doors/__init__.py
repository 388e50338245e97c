"""Locked doors: who may do what on the broker, and what nobody ever gets to see."""
