"""Tables as DataFrames: the only part that knows both `tables` and pandas."""
