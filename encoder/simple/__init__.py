"""The simple learner: n-grams and logistic regression, fitted exactly on reviewed answers within seconds. No torch."""
