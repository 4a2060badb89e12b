"""Pictures of frames, in matplotlib: axes in, axes out, no global setting touched."""
