"""The app over HTTP: the gate in front of every path, its routes, the API for programs."""
