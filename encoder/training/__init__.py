"""The parts of fine-tuning that `encoder.training.train` puts together."""
