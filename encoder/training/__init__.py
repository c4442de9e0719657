"""The parts of fine-tuning that `encoder.train` puts together."""
