"""Lesson 2, atrous convolution: its figures, its checks and what else it shows."""
