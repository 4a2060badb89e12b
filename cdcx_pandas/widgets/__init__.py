"""What a notebook shows of a live stream: the view that moves, and the picture that stays.

A floor above the streams: a stream knows nothing of pictures, and a view takes any object
that keeps the promises of :class:`cdcx_pandas.widgets.source.Source`.
"""
