"""Conversations and arithmetic without I/O."""
