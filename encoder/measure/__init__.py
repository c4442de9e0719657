"""How good a model is: metrics, evaluation, comparison, calibration, baselines. No torch."""
