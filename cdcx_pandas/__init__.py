"""The Crypto.com Exchange in pandas, for people who think in notebooks."""
