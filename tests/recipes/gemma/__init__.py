"""Tests of the recipe of the model on real Gemma."""
