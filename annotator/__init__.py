"""Services and user interface: everything between the store and the encoder on one side, and people on the other."""
