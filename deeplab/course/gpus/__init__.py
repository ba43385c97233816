"""Lesson 9, training on GPUs: its figures, its checks and what else it shows."""
