"""What a live stream knows of each channel: joined to its past, with every hole declared."""
