"""The programs `python -m encoder.commands.train` and `python -m encoder.commands.predict`."""
