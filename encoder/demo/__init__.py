"""The bundled model: its corpus, the script that makes it (`python -m encoder.demo.build`) and its weights in `model/`."""
