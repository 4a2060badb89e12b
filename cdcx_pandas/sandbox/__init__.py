"""A whole exchange on this machine: market, matching, accounts, and the wires to them."""
